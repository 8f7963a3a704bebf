/*
 * The release core under libFuzzer: as C (wasm2c), with the address and undefined-behaviour sanitizers.
 *
 * Inputs are allocation sequences in the bytes of src/fuzz/core-sequence.ts, so one corpus serves this program, Jazzer.js
 * and the targets in Node. The judge is a byte per frame: every placement must be free, aligned and in the first zone
 * that has room, every refusal must be right, every `check` walks the core's own `verify`, and the end frees everything.
 * Kinds that live above the core (foreign ranges, snapshots) do nothing here.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "core.h"
#include "geometries.h"
#include "layout.h"

#define MAX_FRAMES 1100
#define MAX_BLOCKS 1100

static Z_core_instance_t core[GEOMETRY_COUNT];
/* The host makes the memory; verify and digests are a module of their own over the same one. */
static wasm_rt_memory_t memories[GEOMETRY_COUNT];
static Z_audit_instance_t audit[GEOMETRY_COUNT];
static Z_audit_instance_t *auditor;

struct Z_env_instance_t {
  wasm_rt_memory_t *memory;
};
static struct Z_env_instance_t env[GEOMETRY_COUNT];
wasm_rt_memory_t *Z_envZ_memory(struct Z_env_instance_t *one) { return one->memory; }

static uint8_t *fresh[GEOMETRY_COUNT];
static uint32_t fresh_bytes[GEOMETRY_COUNT];
static int opened;

typedef struct {
  uint32_t frame, first, count, length, tag; /* frame: the core's number; first: dense number of its first frame */
} Block;

static Block blocks[MAX_BLOCKS];
static uint32_t live;
static uint16_t owner[MAX_FRAMES]; /* 0 free, else 1 + index of the block: kept in step when blocks move */
static uint8_t started[MAX_FRAMES];
static const Geometry *g;
static Z_core_instance_t *c;
static wasm_rt_memory_t *memory; /* that of c */
static uint32_t free_frames, total_frames;
static uint32_t zone_first[4]; /* the core's number of the first frame of each zone */

void fuzz_trap(wasm_rt_trap_t code) {
  fprintf(stderr, "the core trapped: %d\n", (int)code);
  abort();
}

static void fail(const char *what) {
  fprintf(stderr, "wrong: %s\n", what);
  abort();
}

static uint32_t word(uint32_t at) {
  uint32_t value;
  memcpy(&value, memory->data + at, 4);
  return value;
}

static void set_word(uint32_t at, uint32_t value) { memcpy(memory->data + at, &value, 4); }
static void set_f64(uint32_t at, double value) { memcpy(memory->data + at, &value, 8); }

/* Every geometry is opened once; a copy of its memory is what each input starts from. */
static void open_all(void) {
  Z_core_init_module();
  Z_audit_init_module();
  for (int i = 0; i < GEOMETRY_COUNT; i++) {
    const Geometry *one = &geometries[i];
    wasm_rt_allocate_memory(&memories[i], 1, 65536); /* opening grows it */
    env[i].memory = &memories[i];
    Z_core_instantiate(&core[i], &env[i]);
    Z_audit_instantiate(&audit[i], &env[i]);
    if (Z_coreZ_openCore(&core[i], one->frame_shift, one->zones, one->tags ? 1 : 0, 140737488355328.0 * 2)) fail("openCore");
    for (uint32_t z = 0; z < one->zones; z++) {
      const Zone *zone = &one->zone[z];
      if (Z_coreZ_openZ5Aone(&core[i], zone->base, zone->size, zone->node, zone->base + 70368744177664.0)) fail("openZone");
    }
    if (Z_coreZ_openMemory(&core[i])) fail("openMemory");
    c = &core[i];
    memory = &memories[i];
    fresh_bytes[i] = word(H_INDEX_BASE) + word(H_MAP_CAPACITY) * INDEX_RECORD;
    fresh[i] = malloc(fresh_bytes[i]);
    memcpy(fresh[i], memory->data, fresh_bytes[i]);
  }
  opened = 1;
}

static uint32_t frames_of(uint32_t length) { return ((length - 1) >> g->frame_shift) + 1; }

/* Frames between two legal starts: the largest power of two that divides the frames, at most a group. */
static uint32_t step_of(uint32_t frames, uint32_t align) {
  uint32_t step = frames < 64 ? frames & (0u - frames) : 64;
  return step > align ? step : align;
}

/* A block of fewer than 64 frames lies inside one group. */
static int leaves_group(uint64_t start, uint32_t frames) { return frames < 64 && start % 64 + frames > 64; }

static uint64_t skew(uint32_t z) { return (uint64_t)(g->zone[z].base) >> g->frame_shift; }
static uint32_t zone_frames(uint32_t z) { return (uint32_t)((uint64_t)(g->zone[z].size) >> g->frame_shift); }

static uint32_t dense_first(uint32_t z) {
  uint32_t first = 0;
  for (uint32_t i = 0; i < z; i++) first += zone_frames(i);
  return first;
}

/* Is there a legal start in a zone? */
static int serves(uint32_t z, uint32_t frames, uint32_t step, double highest) {
  uint32_t end = zone_frames(z), first = dense_first(z);
  double bytes = highest + 1 - g->zone[z].base;
  if (bytes < 0) bytes = 0;
  double cut = bytes / (double)(1u << g->frame_shift);
  if (cut < end) end = (uint32_t)cut;
  uint64_t at = (skew(z) + step - 1) / step * step - skew(z);
  for (; at + frames <= end; at += step) {
    if (leaves_group(skew(z) + at, frames)) continue;
    uint32_t i = 0;
    while (i < frames && owner[first + at + i] == 0) i++;
    if (i == frames) return 1;
  }
  return 0;
}

static int zone_of(uint32_t frame) {
  for (uint32_t z = 0; z < g->zones; z++)
    if (frame - zone_first[z] < zone_frames(z)) return (int)z;
  return -1;
}

/* Zones are tried from the highest base down. */
static void judge(uint32_t frame, uint32_t length, uint32_t align, double highest, uint32_t tag) {
  uint32_t frames = frames_of(length), step = step_of(frames, align);
  int home = frame == 0 ? -1 : zone_of(frame);
  if (frame != 0 && home < 0) fail("a frame of no zone was handed out");
  for (uint32_t z = 0; z < g->zones; z++) {
    if (home >= 0 && g->zone[z].base <= g->zone[home].base) continue;
    if (serves(z, frames, step, highest))
      fail(frame == 0 ? "out of memory, and a zone has room" : "a zone that comes before has room");
  }
  if (frame == 0) return;
  uint32_t at = frame - zone_first[home], first = dense_first((uint32_t)home);
  if (at + frames > zone_frames((uint32_t)home)) fail("a block leaves its zone");
  if ((skew((uint32_t)home) + at) % step != 0) fail("a block is misaligned");
  if (leaves_group(skew((uint32_t)home) + at, frames)) fail("a block is in two groups");
  if (g->zone[home].base + (double)((uint64_t)(at + frames) << g->frame_shift) - 1 > highest) fail("a block is above the highest address");
  for (uint32_t i = 0; i < frames; i++)
    if (owner[first + at + i] != 0) fail("a block meets another");
  blocks[live] = (Block){frame, first + at, frames, length, tag};
  for (uint32_t i = 0; i < frames; i++) owner[first + at + i] = (uint16_t)(live + 1);
  started[first + at] = 1;
  live++;
  free_frames -= frames;
}

static uint32_t give(uint32_t frame, uint32_t length) {
  return g->tags ? Z_coreZ_freeAny(c, frame, length) : Z_coreZ_free(c, frame, length);
}

static void forget(uint32_t index) {
  Block *block = &blocks[index];
  for (uint32_t i = 0; i < block->count; i++) owner[block->first + i] = 0;
  free_frames += block->count;
  live--;
  if (index == live) return;
  blocks[index] = blocks[live];
  for (uint32_t i = 0; i < blocks[index].count; i++) owner[blocks[index].first + i] = (uint16_t)(index + 1);
}

static void check(void) {
  if (Z_auditZ_verify(auditor) != 0) fail("verify found something");
  if (word(H_TOTAL_FRAMES) - (word(H_PEAK_FRAMES) - word(W_PEAK_HEADROOM)) != free_frames) fail("the count of free frames is wrong");
  if (word(H_BLOCKS) - Z_coreZ_cachedBlocks(c) != live) fail("the count of live blocks is wrong");
  for (uint32_t i = 0; i < live; i++)
    if (Z_coreZ_sizeOf(c, blocks[i].frame) != blocks[i].length) fail("a length is wrong");
}

static void allocate(uint32_t length, uint8_t modifier, uint16_t value) {
  uint32_t p = modifier >> 3, tag = g->tags ? p & 3 : 0, which = modifier & 7;
  if (which != 1 && which != 3 && tag == 0) {
    judge(Z_coreZ_allocate(c, length), length, 1, 4503599627370495.0, 0);
    return;
  }
  uint32_t order = which == 1 ? p % 10 : 0, most = 0;
  while ((2u << most) <= total_frames) most++;
  if (order > most) order = most;
  const Zone *zone = &g->zone[p % g->zones];
  double highest = 4503599627370495.0;
  if (which == 3) {
    uint32_t frame = (uint32_t)(value >> 4) % ((uint32_t)((uint64_t)zone->size >> g->frame_shift) + 1);
    highest = zone->base + (double)((uint64_t)frame << g->frame_shift) + (double)((p >> 3) % 3) - 2;
  }
  set_word(RING + R_LENGTH, length);
  set_word(RING + R_FLAGS, which == 1 ? HAS_ALIGN : which == 3 ? HAS_HIGHEST : 0);
  set_word(RING + R_ALIGN_ORDER, order);
  set_word(RING + R_TAG, tag);
  set_f64(RING + R_HIGHEST, highest);
  Z_coreZ_serve(c, 1);
  judge(word(RING + R_FRAME), length, which == 1 ? 1u << order : 1, highest, tag);
}

static void allocate_batch(uint16_t value, uint32_t count) {
  uint32_t length = value;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t entry = RING + i * RING_ENTRY;
    set_word(entry + R_LENGTH, length + 1);
    set_word(entry + R_FLAGS, 0);
    set_word(entry + R_TAG, 0);
    length = (length * 7 + 1) & 0xffff;
  }
  Z_coreZ_serve(c, count);
  length = value;
  for (uint32_t i = 0; i < count; i++) {
    judge(word(RING + i * RING_ENTRY + R_FRAME), length + 1, 1, 4503599627370495.0, 0);
    length = (length * 7 + 1) & 0xffff;
  }
}

/* A free that must be refused. */
static void free_wrong(uint16_t value, uint8_t modifier) {
  uint32_t frame = zone_first[(modifier >> 5) % g->zones] + value % zone_frames((modifier >> 5) % g->zones);
  uint32_t length = 1 + (modifier & 31) * 100;
  if (live != 0 && (modifier & 7) < 4) {
    Block *block = &blocks[value % live];
    frame = block->frame + ((modifier & 3) == 0 ? (modifier >> 3) : 0);
    length = (modifier & 3) == 1 ? block->length + 1 + (modifier >> 3) : block->length;
    if ((modifier & 3) == 2) {
      if (!g->tags) return;
      if (Z_coreZ_freeTagged(c, frame, length, block->tag + 1 + (modifier >> 3)) != BAD_TAG) fail("a wrong tag was accepted");
      return;
    }
    if ((modifier & 3) == 3 && block->length > 1) length = block->length - 1;
  }
  int z = zone_of(frame);
  uint32_t expected = FOREIGN;
  if (z >= 0) {
    uint32_t at = dense_first((uint32_t)z) + frame - zone_first[z];
    if (owner[at] != 0) {
      Block *block = &blocks[owner[at] - 1];
      expected = block->first != at ? INTERIOR : block->length == length ? OK : BAD_LENGTH;
    } else expected = started[at] ? FREED : NEVER;
  }
  uint32_t code = give(frame, length);
  if (code != expected) fail("a free came to another answer than it must");
  if (code == OK) forget(owner[dense_first((uint32_t)z) + frame - zone_first[z]] - 1u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!opened) open_all();
  uint32_t which = size == 0 ? 0 : data[0] % GEOMETRY_COUNT;
  g = &geometries[which];
  c = &core[which];
  memory = &memories[which];
  auditor = &audit[which];
  uint32_t end = word(H_INDEX_BASE) + word(H_MAP_CAPACITY) * INDEX_RECORD;
  memcpy(memory->data, fresh[which], fresh_bytes[which]);
  if (end > fresh_bytes[which]) memset(memory->data + fresh_bytes[which], 0, end - fresh_bytes[which]);
  total_frames = 0;
  for (uint32_t z = 0; z < g->zones; z++) {
    zone_first[z] = word(ZONES + z * ZONE_SIZE + Z_FIRST);
    total_frames += zone_frames(z);
  }
  free_frames = total_frames;
  live = 0;
  memset(owner, 0, sizeof owner);
  memset(started, 0, sizeof started);
  Z_auditZ_digest(auditor);
  uint32_t a = word(H_DIGEST_A), b = word(H_DIGEST_B);
  for (size_t at = 1; at + 4 <= size; at += 4) {
    uint8_t kind = kind_table[data[at]], modifier = data[at + 3];
    uint16_t value = (uint16_t)(data[at + 1] | (data[at + 2] << 8));
    if (live + 64 >= MAX_BLOCKS && (kind == KIND_allocate || kind == KIND_allocateLarge || kind == KIND_allocateBatch)) continue;
    switch (kind) {
      case KIND_allocate: allocate(value + 1u, modifier, value); break;
      case KIND_allocateLarge: allocate((value + 1u) * 64u, modifier, value); break;
      case KIND_allocateBatch: allocate_batch(value, 1u + modifier % 64u); break;
      case KIND_free:
        if (live == 0) break;
#ifdef CANARY /* a bug that must be found: a block of five frames is never given back */
        if (blocks[value % live].count == 5) {
          forget(value % live);
          break;
        }
#endif
        if (give(blocks[value % live].frame, blocks[value % live].length) != OK) fail("a right free was refused");
        forget(value % live);
        break;
      case KIND_freeWrong: free_wrong(value, modifier); break;
      case KIND_flush: Z_coreZ_flush(c); break;
      case KIND_check: check(); break;
      default: break;
    }
  }
  while (live != 0) {
    if (give(blocks[live - 1].frame, blocks[live - 1].length) != OK) fail("a right free was refused at the end");
    forget(live - 1);
  }
  Z_coreZ_flush(c);
  Z_auditZ_digest(auditor);
  if (word(H_DIGEST_A) != a || word(H_DIGEST_B) != b) fail("all is freed and the digest is not that of the beginning");
  return 0;
}
