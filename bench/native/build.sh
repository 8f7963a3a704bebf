#!/bin/sh
# Builds the native peers to build/native/*.wasm; `ndis-shmem bench` measures what it finds there. See README.md.
#
#     bench/native/build.sh              installs the Debian packages that are missing (as root), and builds
#     bench/native/build.sh --no-install builds with what is there
set -eu
cd "$(dirname "$0")"
out=../../build/native

packages="clang lld emscripten"
missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "${1:-}" = "--no-install" ]; then
    echo "bench/native: missing packages:$missing" >&2
    exit 1
  fi
  apt-get update
  # shellcheck disable=SC2086
  apt-get install -y --no-install-recommends $missing
fi

mkdir -p "$out"
linking="-nostdlib -nostartfiles -Wl,--no-entry -Wl,--import-memory -Wl,--max-memory=4294967296 -Wl,--strip-all"
compiling="-O3 -flto -DNDEBUG"

emscripten=/usr/share/emscripten
sysroot=$emscripten/cache/sysroot
for name in dlmalloc emmalloc; do
  include=""
  [ $name = emmalloc ] && include="-include mallinfo.h"
  # shellcheck disable=SC2086
  clang --target=wasm32-unknown-emscripten -nostdinc -isystem $sysroot/include \
    -isystem "$(clang -print-resource-dir)/include" $include $compiling $linking \
    malloc.c $emscripten/system/lib/$name.c $sysroot/lib/wasm32-emscripten/libc.a -o "$out/$name.wasm"
done
ls -l "$out"
