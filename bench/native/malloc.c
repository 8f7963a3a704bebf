// An allocator that is called malloc and free, and gets its arena from sbrk: those of Emscripten.
#include "replay.h"

void *malloc(size_t);
void free(void *);

static inline void *allocate(uint32_t bytes) { return malloc(bytes); }
static inline void release(void *at, uint32_t bytes) { free(at); }

static uintptr_t top, limit;

// The arena, piece by piece.
void *sbrk(intptr_t more) {
  if (more < 0 || (uintptr_t)more > limit - top) return (void *)-1;
  void *at = (void *)top;
  top += (uintptr_t)more;
  return at;
}

// Called here and once, because the linker otherwise wraps every export in it, and each call would start anew.
void __wasm_call_ctors(void);

EXPORT("begin") void begin(uint32_t arena_bytes) {
  top = (uintptr_t)&__heap_base;
  limit = top + arena_bytes;
  __wasm_call_ctors();
  void *at = malloc(1);
  __asm__ volatile("" : "+r"(at) : : "memory"); // or the compiler leaves both calls out
  free(at);
}
