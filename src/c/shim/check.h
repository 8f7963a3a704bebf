/* check.h: numbers shared by the C half, and what it imports for checking. */
#ifndef NSHM_CHECK_H
#define NSHM_CHECK_H
typedef unsigned char u8;
typedef unsigned int u32;
#ifndef NSHM_MEMORY
/* The shadow covers so many bytes of address space. */
#define NSHM_MEMORY 0x04000000u
#endif
#define NSHM_MAX_FRAMES 128
#define NSHM_MAX_EDGES 65536
#define NSHM_REGISTERS 0xe8
#define NSHM_DEVICE 0xe7
#define NSHM_GLOBAL 0xe9
#define HOST(name) __attribute__((import_module("nshm"), import_name(#name)))
HOST(fault) void host_fault(u32 address, u32 size, u32 write, u32 first);
HOST(mmioLoad) void host_mmio_load(u32 address, u32 size);
HOST(mmioStore) void host_mmio_store(u32 address, u32 size);
HOST(outOfFuel) void host_out_of_fuel(void);
HOST(stackOverflow) void host_stack_overflow(void);
extern u32 nshm_site;
void nshm_flush(void);
void nshm_check(u32 address, u32 size, u32 write);
#endif
