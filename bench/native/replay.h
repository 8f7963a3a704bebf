// The replay loops of bench/assembly/replay.ts, in C, for allocators that are written in C.
//
// An allocator is compiled together with this and offers `allocate` and `release`. Memory is imported: the host makes it
// as large as the arena, calls `begin`, and grows it afterwards for operations and slots. `begin` says where the arena
// ends; the host may then not let it grow.
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

extern unsigned char __heap_base;

EXPORT("heapBase") uint32_t heap_base(void) { return (uint32_t)(uintptr_t)&__heap_base; }

static uint32_t failures;
EXPORT("failures") uint32_t failure_count(void) { return failures; }

static inline void *allocate(uint32_t bytes);
static inline void release(void *at, uint32_t bytes);

EXPORT("replay") void replay(const uint32_t *ops, uint32_t from, uint32_t to, uint32_t *slots) {
  const uint32_t *end = ops + 2 * (size_t)to;
  failures = 0;
  for (const uint32_t *op = ops + 2 * (size_t)from; op < end; op += 2) {
    const uint32_t word = op[0];
    uint32_t *slot = slots + 2 * (size_t)(word & 0x3fffffff);
    if (word & 0x40000000) {
      const uint32_t at = slot[0];
      if (at != 0) {
        release((void *)(uintptr_t)at, slot[1]);
        slot[0] = 0;
      }
    } else {
      const uint32_t bytes = op[1];
      const uint32_t at = (uint32_t)(uintptr_t)allocate(bytes);
      slot[0] = at;
      slot[1] = bytes;
      if (at == 0) failures += 1;
    }
  }
}

// The compiler knows what malloc is, and leaves out a malloc whose block is only freed: the address has to escape.
EXPORT("lifo") uint32_t lifo(uint32_t bytes, uint32_t pairs) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < pairs; i += 1) {
    void *at = allocate(bytes);
    __asm__ volatile("" : "+r"(at) : : "memory");
    sum += (uint32_t)(uintptr_t)at;
    release(at, bytes);
  }
  return sum;
}

EXPORT("allocate") uint32_t allocate_one(uint32_t bytes) { return (uint32_t)(uintptr_t)allocate(bytes); }
EXPORT("free") void release_one(uint32_t at, uint32_t bytes) { release((void *)(uintptr_t)at, bytes); }
