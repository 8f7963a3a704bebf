#!/bin/bash -eu
# Builds every target into $OUT: one Jazzer.js program for each target of the registry and for the driver fuzzer, and the
# core as C. Outside the image (no compile_javascript_fuzzer, no $LIB_FUZZING_ENGINE) it does every other step, which is
# what test/fuzz/clusterfuzzlite.test.ts checks.
OUT=${OUT:-$PWD/build/clusterfuzzlite}
mkdir -p "$OUT"

if [ -n "${SRC:-}" ]; then npm ci; fi
node src/build.mjs --if-stale

# Jazzer.js targets: the module named after the target, its seed corpus beside it.
for target in core translator ring ndis snapshot capture codec replay driver recording-event-log recording-malloc-bench recording-heaptrack recording-vma recording-minimalloc recording-valgrind recording-wee_alloc recording-android recording-plain recording-rep recording-zstd; do
  if [ -n "${SRC:-}" ]; then
    sync=--sync
    case $target in ndis | driver) sync= ;; esac # these wait for the machine
    compile_javascript_fuzzer ndis-shmem "test/fuzz/jazzer/$target.cjs" $sync
  fi
  if [ -d "test/fuzz/corpus/$target" ]; then
    (cd "test/fuzz/corpus/$target" && python3 -c "
import sys, zipfile, os
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    for name in sorted(os.listdir('.')): z.write(name)
" "$OUT/${target}_seed_corpus.zip")
  fi
done

# The native target.
mkdir -p build/native
node test/fuzz/native/headers.mjs build/native
wasm2c build/release.wasm -n core -o build/native/core.c
wasm2c build/audit.wasm -n audit -o build/native/audit.c
runtime=$(dirname "$(find /usr/share/wabt /usr/src/wasm2c -name wasm-rt-impl.c 2>/dev/null | head -n 1)")
${CC:-clang} ${CFLAGS:--g -O1} -DWASM_RT_MEMCHECK_SIGNAL_HANDLER=0 -DWASM_RT_TRAP_HANDLER=fuzz_trap \
  -Ibuild/native -I"$runtime" test/fuzz/native/core_fuzz.c build/native/core.c build/native/audit.c "$runtime/wasm-rt-impl.c" \
  ${LIB_FUZZING_ENGINE:--fsanitize=fuzzer} -lm -o "$OUT/core_native"
if [ -f "$OUT/core_seed_corpus.zip" ]; then cp "$OUT/core_seed_corpus.zip" "$OUT/core_native_seed_corpus.zip"; fi
