/*
 * check.c: what instrumented driver code calls. Compiled without any instrumentation of its own.
 *
 * `cc` compiles a driver to LLVM's text with the kernel address sanitizer and edge counters, and rewrites each of their
 * calls to one of these, with a number that names the place in the source (see src/cli/cc/rewrite.ts):
 *
 *     nshm_load4(address, site)    before a load of four bytes        nshm_edge(number, site) at each edge
 *     nshm_store4(address, site)   before a store of four bytes       nshm_enter, exit    around each function
 *
 * One shadow byte tells of eight bytes: 0 all may be touched, 1 to 7 the first so many, from 0x80 none, and why.
 *
 * An access to a device's registers is an ordinary load or store in C. A load asks the device first, whose answer is put
 * where the load will find it. A store is handed to the device at the next access, call or return: until then the value
 * is not there. Nothing can happen in between, because everything that could see the difference comes by here.
 */
#include "check.h"

/* Where the driver is: the number of the last call or access. */
u32 nshm_site;
/* One pair for each function that runs: its own number, and the place it was called from. */
u32 nshm_frames[2 * NSHM_MAX_FRAMES];
u32 nshm_depth;
u32 nshm_fuel = 0x7fffffff;
/* The lowest address that the stack which is in use may reach. */
u32 nshm_stack_end;
/* Addresses at or above this take the slow way. 0 while a store to a register waits. */
u32 nshm_limit = NSHM_MEMORY;
u32 nshm_posted_address, nshm_posted_size;
/* Last of the data that is rewound as a whole: these two the host clears itself. */
__attribute__((aligned(16))) u8 nshm_edges[NSHM_MAX_EDGES];
__attribute__((aligned(16))) u8 nshm_shadow[NSHM_MEMORY >> 3];

void nshm_flush(void) {
  u32 size = nshm_posted_size;
  if (size == 0) return;
  nshm_posted_size = 0;
  nshm_limit = NSHM_MEMORY;
  host_mmio_store(nshm_posted_address, size);
}

/* The first byte of a range that may not be touched; `end` where all may. */
static u32 first_bad(u32 address, u32 end) {
  while (address < end) {
    u8 tag = nshm_shadow[address >> 3];
    if (tag == 0) {
      address = (address | 7) + 1;
      continue;
    }
    if (tag >= 0x80 || (address & 7) >= tag) return address;
    u32 granule = (address & ~7u) + tag;
    if (end <= granule) return end;
    address = granule;
  }
  return end;
}

__attribute__((noinline)) static void slow(u32 address, u32 size, u32 write, u32 site) {
  nshm_site = site;
  nshm_flush();
  if (size == 0) return;
  u32 end = address + size;
  if (address >= NSHM_MEMORY || end > NSHM_MEMORY || end < address) {
    host_fault(address, size, write, address);
    return;
  }
  u32 bad = first_bad(address, end);
  if (bad >= end) return;
  u8 tag = nshm_shadow[bad >> 3];
  if (tag == NSHM_REGISTERS) {
    if (!write) {
      host_mmio_load(address, size);
    } else {
      nshm_posted_address = address;
      nshm_posted_size = size;
      nshm_limit = 0;
    }
    return;
  }
  /* What the device owns may be looked at: that is how a driver learns that it is done. */
  if (tag == NSHM_DEVICE && !write) return;
  host_fault(address, size, write, bad);
}

#define ACCESS(bytes)                                                                                              \
  void nshm_load##bytes(u32 address, u32 site) {                                                                   \
    if (address < nshm_limit && nshm_shadow[address >> 3] == 0 && ((address & 7) + bytes <= 8)) return;            \
    slow(address, bytes, 0, site);                                                                                 \
  }                                                                                                                \
  void nshm_store##bytes(u32 address, u32 site) {                                                                  \
    if (address < nshm_limit && nshm_shadow[address >> 3] == 0 && ((address & 7) + bytes <= 8)) return;            \
    slow(address, bytes, 1, site);                                                                                 \
  }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void nshm_loadN(u32 address, u32 size, u32 site) { slow(address, size, 0, site); }
void nshm_storeN(u32 address, u32 size, u32 site) { slow(address, size, 1, site); }

void nshm_check(u32 address, u32 size, u32 write) { slow(address, size, write, nshm_site); }

void nshm_edge(u32 number, u32 site) {
  u8 *counter = &nshm_edges[number & (NSHM_MAX_EDGES - 1)];
  if (*counter != 255) ++*counter;
  if (--nshm_fuel == 0) {
    nshm_site = site;
    host_out_of_fuel();
  }
}

void nshm_enter(u32 function) {
  u32 depth = nshm_depth;
  if (depth < NSHM_MAX_FRAMES) {
    nshm_frames[2 * depth] = function;
    nshm_frames[2 * depth + 1] = nshm_site;
  }
  nshm_depth = depth + 1;
  u32 stack;
  __asm__(".globaltype __stack_pointer, i32\n\tglobal.get __stack_pointer\n\tlocal.set %0" : "=r"(stack));
  if (stack < nshm_stack_end) host_stack_overflow();
}

void nshm_exit(void) { nshm_depth--; }

struct asan_global {
  u32 begin, size, size_with_redzone, name, module, has_dynamic_init, location, odr;
};

void __asan_register_globals(struct asan_global *globals, u32 count) {
  for (u32 i = 0; i < count; i++) {
    u32 at = globals[i].begin + globals[i].size, end = globals[i].begin + globals[i].size_with_redzone;
    if (at & 7) {
      nshm_shadow[at >> 3] = at & 7;
      at = (at | 7) + 1;
    }
    for (; at < end; at += 8) nshm_shadow[at >> 3] = NSHM_GLOBAL;
  }
}
void __asan_unregister_globals(struct asan_global *globals, u32 count) {}
void __asan_handle_no_return(void) {}

/* ---- the memory routines of the C runtime, checked ------------------------------------------------------------------- */
static void move(u8 *to, const u8 *from, u32 count) {
  if (to <= from || to >= from + count) {
    while (count--) *to++ = *from++;
  } else {
    while (count--) to[count] = from[count];
  }
}
void *memcpy(void *to, const void *from, unsigned long count) {
  nshm_check((u32)from, count, 0);
  nshm_check((u32)to, count, 1);
  nshm_flush();
  move(to, from, count);
  return to;
}
void *memmove(void *to, const void *from, unsigned long count) { return memcpy(to, from, count); }
void *memset(void *to, int value, unsigned long count) {
  nshm_check((u32)to, count, 1);
  nshm_flush();
  u8 *at = to;
  for (; count && ((u32)at & 3); count--) *at++ = value;
  u32 word = (u8)value * 0x01010101u;
  for (; count >= 4; count -= 4, at += 4) *(u32 *)at = word;
  while (count--) *at++ = value;
  return to;
}
int memcmp(const void *one, const void *other, unsigned long count) {
  nshm_check((u32)one, count, 0);
  nshm_check((u32)other, count, 0);
  const u8 *a = one, *b = other;
  for (; count; count--, a++, b++)
    if (*a != *b) return *a - *b;
  return 0;
}
unsigned long strlen(const char *text) {
  unsigned long length = 0;
  do nshm_check((u32)text + length, 1, 0);
  while (text[length++]);
  return length - 1;
}
int strncmp(const char *one, const char *other, unsigned long count) {
  for (; count; count--, one++, other++) {
    nshm_check((u32)one, 1, 0);
    nshm_check((u32)other, 1, 0);
    if (*one != *other || *one == 0) return (u8)*one - (u8)*other;
  }
  return 0;
}
int strcmp(const char *one, const char *other) { return strncmp(one, other, ~0ul); }
char *strncpy(char *to, const char *from, unsigned long count) {
  unsigned long i = 0;
  for (; i < count && from[i]; i++) {
    nshm_check((u32)to + i, 1, 1);
    to[i] = from[i];
  }
  for (; i < count; i++) {
    nshm_check((u32)to + i, 1, 1);
    to[i] = 0;
  }
  return to;
}
char *strcpy(char *to, const char *from) { return memcpy(to, from, strlen(from) + 1), to; }
void __sanitizer_cov_trace_pc_guard_init(u32 *start, u32 *end) {}
/* Nothing is destroyed at the end: a run is rewound. */
int __cxa_atexit(void (*function)(void *), void *argument, void *handle) { return 0; }
u8 __dso_handle;
