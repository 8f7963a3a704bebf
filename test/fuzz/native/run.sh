#!/usr/bin/env bash
# The release core as C under libFuzzer: installs what is missing, builds, and runs for SECONDS (default 60).
#
#     test/fuzz/native/run.sh [SECONDS] [further options of libFuzzer]
#
# Debian or Ubuntu with apt; wabt gives wasm2c, clang its libFuzzer. SANITIZE=fuzzer leaves the sanitizers out; CANARY=1
# plants a bug, which must be found within seconds. Everything
# is made in build/native; the corpus grows in build/native/corpus and starts with test/fuzz/corpus/core.
set -euo pipefail
cd "$(dirname "$0")/../../.."
seconds=${1:-60}
shift || true
out=build/native
sanitize=${SANITIZE:-fuzzer,address,undefined}

missing=()
command -v wasm2c >/dev/null || missing+=(wabt)
command -v clang >/dev/null || missing+=(clang)
ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 ||
  missing+=("libclang-rt-$(clang --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1 || true)-dev")
if ((${#missing[@]} > 0)); then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]/libclang-rt--dev/libclang-rt-14-dev}"
fi

node src/build.mjs --if-stale
mkdir -p "$out/corpus"
node test/fuzz/native/headers.mjs "$out"
wasm2c build/release.wasm -n core -o "$out/core.c"
wasm2c build/audit.wasm -n audit -o "$out/audit.c"
runtime=$(dirname "$(find /usr/share/wabt /usr/src/wasm2c -name wasm-rt-impl.c 2>/dev/null | head -n 1)")
flags=(-g -O2 -DWASM_RT_MEMCHECK_SIGNAL_HANDLER=0 -DWASM_RT_TRAP_HANDLER=fuzz_trap -I"$out" -I"$runtime")
if [[ -n ${CANARY:-} ]]; then flags+=(-DCANARY); fi
clang "${flags[@]}" "-fsanitize=$sanitize" -fno-sanitize-recover=undefined -o "$out/core_fuzz" \
  test/fuzz/native/core_fuzz.c "$out/core.c" "$out/audit.c" "$runtime/wasm-rt-impl.c" -lm
cp -n test/fuzz/corpus/core/* "$out/corpus/" 2>/dev/null || true
exec "$out/core_fuzz" "$out/corpus" -max_total_time="$seconds" -max_len=801 -timeout=20 -print_final_stats=1 "$@"
