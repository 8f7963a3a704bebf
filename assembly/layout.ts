/**
 * Where everything lies in linear memory, and how the free frames are described.
 *
 * All state is in linear memory at this layout and nowhere else: there are no globals and no managed objects, so that a
 * copy of memory is a copy of the allocator. The bytes that drivers and devices share are never here; the core manages
 * addresses only.
 *
 *   0        4096       4352     5120      21504  29696    50176
 *   +--------+----------+--------+---------+------+--------+---------+-------------------+----------+----------+
 *   | static | header   | report | request | keys | ready  | zone    | per zone: words,  | mappings | mappings |
 *   | data   |          |        | ring    |      | blocks | records | trees, codes, tags| by virt. | by phys. |
 *   +--------+----------+--------+---------+------+--------+---------+-------------------+----------+----------+
 *             |<- counters, scratch ------>|      |<---------- the image: decides later answers ---------->|
 *
 * Static data is what the debug build's asserts say; the release build has none and leaves those bytes zero.
 *
 * Frame numbers. The core speaks frame numbers (u32), one numbering over all zones. Zone z holds the numbers
 * [first, first + count). `first` is congruent to the zone's physical frame number modulo a power of two that is not
 * smaller than the zone, so a frame number is aligned exactly where its physical address is. Number 0 is in no zone: it
 * is the null of this module.
 *
 * Pages. A *page* here is 64 frames, whatever a frame is: the frames that one u64 can describe. (It is neither the
 * 64 KiB page of WebAssembly nor the 4 KiB page of a driver.)
 *
 * Free frames. Each page is in exactly one of three conditions:
 *
 *   whole   all 64 frames free: the page belongs to a free run of 2^k pages, kept in the tree of class 6 + k; word = 0
 *   split   some frames free: bit i of its word is set when frame i is free; the page is in the tree of the class below
 *   full    no frame free: word = 0, in no tree
 *
 * Classes. The class of a split page is log2 of its longest aligned power-of-two run of free frames, 0 to 5; the class of
 * a run of pages is log2 of its frames, 6 and up. So one mask of the classes that are not empty answers where a request
 * of order o can come from: any class at or above o.
 *
 * Live blocks. A code that stands for the exact length in bytes is kept where a live block starts, and proves a free in
 * one compare:
 *
 *   fewer than 64 frames   `codes`, one entry per frame: u16 where a frame has fewer than 1024 bytes, u32 where it has more
 *   64 frames and more     `pageCodes`, one u32 per page; such a block always starts a page
 *
 * The code is the length + CODE_BIAS. (The last eight lengths below 2^32 would come round to 0; see codes.ts.) Numbers
 * below CODE_BIAS are marks: 0 says that no block ever started here, the others are listed below.
 *
 * Ready blocks. A freed block of up to 4096 frames may be kept as it is for the next request of the same number of frames,
 * on one of 159 stacks (ready.ts). Its frames are taken, as far as words and trees know, and its code is a mark that says
 * that it is ready.
 *
 * Idea: TLSF keeps a two-level mask over lists; here the second level is an address-ordered tree of bits, which needs no
 * links, cannot form a cycle when damaged, and always gives the lowest address.
 */

// ---- header --------------------------------------------------------------------------------------------------------

/** `NSHM`, little-endian. */
export const MAGIC: u32 = 0x4d48534e;
/** Raised with every change of this layout. */
export const VERSION: u32 = 2;

export const HEADER: u32 = 4096;
export const HEADER_SIZE: u32 = 256;

export const H_MAGIC: u32 = 4096;
export const H_VERSION: u32 = 4100;
export const H_FRAME_SHIFT: u32 = 4104; // log2 of the frame size
export const H_FLAGS: u32 = 4108;
export const H_ZONE_COUNT: u32 = 4112;
export const H_FIRST_ZONE: u32 = 4116; // the zone record with the highest base; Z_NEXT leads on downwards
export const H_MEMORY_PAGES: u32 = 4120; // 64 KiB pages in use
export const H_MAP_BASE: u32 = 4124;
export const H_MAP_CAPACITY: u32 = 4128; // records
export const H_MAP_COUNT: u32 = 4132; // records
export const H_INDEX_BASE: u32 = 4136; // the mappings by physical address
export const H_CODE_SHIFT: u32 = 4140; // 1 or 2: log2 of the bytes of an entry of `codes`
export const H_SCATTER_BASE: u32 = 4144; // f64: lowest virtual address for scattered blocks
export const H_NEXT_FRAME: u32 = 4152; // first frame number not given to any zone
export const H_GEOMETRY: u32 = 4156; // checksum over what opening wrote once and nothing changes

// Counters and scratch: no answer depends on them.
export const H_TOTAL_FRAMES: u32 = 4160;
export const H_TAKEN_FRAMES: u32 = 4164; // in live or ready blocks: what words and trees do not show as free
export const H_BLOCKS: u32 = 4168; // live and ready; a scattered block is one
export const H_WITHHELD_FRAMES: u32 = 4172;
export const H_PEAK_FRAMES: u32 = 4176;
export const H_REASON: u32 = 4180; // why the last allocation failed
export const H_FAILURES: u32 = 4184; // f64, exact to 2^53
export const H_FOUND_HEAD: u32 = 4192; // what `lookup` found
export const H_FOUND_FRAMES: u32 = 4196;
export const H_FOUND_LENGTH: u32 = 4200;
export const H_FOUND_ZONE: u32 = 4204;
export const H_BELOW_PEAK: u32 = 4224; // how many frames fewer than at the peak are live now
export const H_BELOW_LIMIT: u32 = 4228; // a free keeps its block ready while that leaves H_BELOW_PEAK at or below this
export const H_READY_LIMIT: u32 = 4232; // so many frames may be ready; 0 while the gate is shut
export const H_STEPS: u32 = 4236; // debug build: turns of loops so far (steps.ts)
export const H_RECENT: u32 = 4240; // the largest order that found nothing ready of late
export const H_RECENT_NEXT: u32 = 4244; // the same since the last look
export const H_AGE: u32 = 4248; // how often frames of the highest zone were taken or given
export const H_DRAIN: u32 = 4252; // the number of the stack that is drained next
export const H_FRONT_ORIGIN: u32 = 4256; // of the zone with the highest base: the first frame of its first page
export const H_FRONT_SPAN: u32 = 4260; // frames from there to its end
export const H_FAIL_FREE: u32 = 4216; // what was free when the last recorded allocation failed, in frames
export const H_FAIL_LONGEST: u32 = 4220; // and the longest block that could be had then
export const H_DIGEST_A: u32 = 4208; // what a digest left: two u32
export const H_DIGEST_B: u32 = 4212;
export const H_RESORTS: u32 = 4264; // debug build: how often a last resort was entered
/** A table of bits.ts: seven u64. */
export const STARTS: u32 = 4272;

export const FLAG_TAGS: u32 = 1;

// ---- report of verify ----------------------------------------------------------------------------------------------

export const REPORT: u32 = 4352;
/** Findings that are kept: { rule u32, frame u32 }. More are counted only. */
export const REPORT_CAPACITY: u32 = 64;

// ---- request ring --------------------------------------------------------------------------------------------------

export const RING: u32 = 5120;
export const RING_CAPACITY: u32 = 256;
export const RING_ENTRY: u32 = 64;

export const R_LENGTH: u32 = 0; // in: bytes
export const R_FLAGS: u32 = 4; // in: which constraints below count
export const R_ALIGN_ORDER: u32 = 8; // in: log2 of frames
export const R_TAG: u32 = 12; // in
export const R_NODE: u32 = 16; // in
export const R_PREFERRED: u32 = 20; // in
export const R_HIGHEST: u32 = 24; // in: f64, last physical byte allowed
export const R_BOUNDARY: u32 = 32; // in: f64, bytes
export const R_REASON: u32 = 40; // out: 0 when served
export const R_FRAME: u32 = 44; // out: first frame, 0 for a scattered block or failure
export const R_VIRTUAL: u32 = 48; // out: f64, 0 on failure
export const R_PHYSICAL: u32 = 56; // out: f64, 0 on failure

export const HAS_ALIGN: u32 = 1;
export const HAS_HIGHEST: u32 = 2;
export const HAS_BOUNDARY: u32 = 4;
export const HAS_NODE: u32 = 8;
export const HAS_PREFERRED: u32 = 16;
export const MAY_SCATTER: u32 = 32;

export const REASON_NONE: u32 = 0;
export const REASON_EXHAUSTED: u32 = 1;
export const REASON_FRAGMENTED: u32 = 2;
export const REASON_ADDRESSING: u32 = 3;
export const REASON_BOUNDARY: u32 = 4;

// ---- keys -------------------------------------------------------------------------------------------------------------

/** From a number of frames less one, 0 to 4095, to the stack of ready blocks of that size: the address of its record, u16. */
export const KEYS: u32 = 21504;
/** The largest block that can be kept ready. */
export const KEYED_FRAMES: u32 = 4096;

// ---- stacks of ready blocks ------------------------------------------------------------------------------------------

/**
 * Stack 0 is for sizes that have none: it is always full and gives nothing. Then one for each size of 1 to 63 frames, one
 * for each of 1 to 64 whole pages, and some that are given to whatever other size is asked for again and again.
 */
export const STACKS: u32 = 29696;
export const STACK_SHIFT: u32 = 7; // log2 of the bytes of a record; each is aligned to its size
export const STACK_COUNT: u32 = 160;
export const FIRST_HOT: u32 = 128;
export const S_TOP: u32 = 0; // address of the last entry; of S_NONE when there is none
// What the size of the blocks decides, so that no path has to ask which size it is.
export const S_BASE: u32 = 4; // where their codes are: the first entry of the zone's `codes` or `pageCodes`
export const S_ROTATE: u32 = 8; // a frame counted from H_FRONT_ORIGIN, rotated left by so much: the offset of its code
export const S_MASK: u32 = 12; // the bits of a u32 there that are the code
export const S_INNER: u32 = 16; // the bits of a frame number that say that it is no start: those of a frame inside its page, or none
export const S_FRAMES: u32 = 20; // of each block; 0 for a stack that has no size yet
export const S_WANTED: u32 = 24; // of a stack for any size: the size that last asked and had none
export const S_NONE: u32 = 28; // always 0, and read in place of an entry when there is none
export const S_ENTRIES: u32 = 32; // the first of 24 entries: first frames of ready blocks
/** Offset of the last entry there is room for. */
export const STACK_FULL: u32 = 124;

// ---- zone records --------------------------------------------------------------------------------------------------

/** Behind the stacks. */
export const ZONES: u32 = 50176;
export const ZONE_SIZE: u32 = 1280;

export const Z_BASE: u32 = 0; // f64: first physical byte
export const Z_WINDOW: u32 = 8; // f64: first virtual byte
export const Z_FIRST: u32 = 16; // first frame number
export const Z_COUNT: u32 = 20; // frames
export const Z_END: u32 = 24; // one past the last frame number
export const Z_NODE: u32 = 28;
export const Z_NEXT: u32 = 32; // the zone with the next lower base, 0 at the end
export const Z_AVAILABLE: u32 = 36; // bit c is set when the tree of class c is not empty
export const Z_FREE: u32 = 40; // free frames
export const Z_DEPTH: u32 = 44; // levels of each tree
export const Z_WHOLE_FIRST: u32 = 48; // first page that lies in the zone with all its frames
export const Z_WHOLE_END: u32 = 52; // one past the last such page
export const Z_PAGE_FIRST: u32 = 56; // first page with a frame in the zone
export const Z_PAGE_END: u32 = 60; // one past the last such page
// Biased pointers: add the number of the frame or page, scaled; the bias takes the zone's first page off.
export const Z_WORDS: u32 = 64; // u64 per page
export const Z_CODES: u32 = 68; // u16 or u32 per frame
export const Z_PAGE_CODES: u32 = 72; // u32 per page
export const Z_TAGS: u32 = 76; // u32 per frame; 0 without tags
// Where the zone's arrays really lie, for the walk of `verify` and for readers of the image.
export const Z_ARRAYS: u32 = 80;
export const Z_ARRAYS_END: u32 = 84;
export const Z_TOP_CLASS: u32 = 88; // the highest class this zone can have

export const Z_SPAN_ORDER: u32 = 92; // frame numbers are congruent to physical ones modulo 2^this
export const Z_TREES: u32 = 96; // 32 tree records
export const Z_CLASS_COUNTS: u32 = 1152; // u32 per class: members of its tree

/** A tree record: five biased level pointers, leaves first, then the index of the one word of the top level. */
export const TREE_SIZE: u32 = 32;
export const T_TOP: u32 = 20;
export const T_LEVELS: u32 = 5;

export const PAGE_SHIFT: u32 = 6;
export const PAGE_FRAMES: u32 = 64;
/** Class of one whole page. */
export const PAGE_CLASS: u32 = 6;

// ---- marks in place of a code --------------------------------------------------------------------------------------

/** A piece of a scattered block starts here; its length is in the mappings. */
export const MARK_PIECE: u32 = 1;
/** No live block starts here, one did. */
export const MARK_FREED: u32 = 2;
/** Both: a piece starts here, and a block once did. */
export const MARK_PIECE_FREED: u32 = 3;
/** A ready block starts here that was never handed out, and one that was. */
export const MARK_READY: u32 = 4;
export const MARK_READY_FREED: u32 = 5;
/** What is added to a length so that it is no mark. */
export const CODE_BIAS: u32 = 8;

// ---- mappings ------------------------------------------------------------------------------------------------------

/** A run of a scattered block or of a foreign range; sorted by virtual address. */
export const MAP_RECORD: u32 = 48;
export const M_VIRTUAL: u32 = 0; // f64
export const M_PHYSICAL: u32 = 8; // f64
export const M_BYTES: u32 = 16; // f64: bytes of this run
export const M_GROUP: u32 = 24; // f64: first virtual byte of the block or range this run belongs to
export const M_GROUP_BYTES: u32 = 32; // f64: its length, as asked for
export const M_KIND: u32 = 40;
export const M_TAG: u32 = 44;

export const KIND_SCATTERED: u32 = 1;
export const KIND_FOREIGN: u32 = 2;

/** The same runs sorted by physical address. */
export const INDEX_RECORD: u32 = 24;
export const I_PHYSICAL: u32 = 0; // f64
export const I_BYTES: u32 = 8; // f64
export const I_VIRTUAL: u32 = 16; // f64

export const MAP_INITIAL: u32 = 32; // records
export const MAP_LIMIT: u32 = 1 << 20; // records

// ---- answers of free and its kin -----------------------------------------------------------------------------------

export const OK: u32 = 0;
export const BAD_LENGTH: u32 = 1;
export const BAD_TAG: u32 = 2;
export const INTERIOR: u32 = 3;
export const FREED: u32 = 4;
export const NEVER: u32 = 5;
export const FOREIGN: u32 = 6;

// ---- rules of verify, in the order of its head ----------------------------------------------------------------------

export const RULE_GEOMETRY: u32 = 1;
export const RULE_PARTITION: u32 = 2;
export const RULE_COUNTS: u32 = 3;
export const RULE_WORDS: u32 = 4;
export const RULE_CLASSES: u32 = 5;
export const RULE_RUNS: u32 = 6;
export const RULE_BUDDIES: u32 = 7;
export const RULE_TREES: u32 = 8;
export const RULE_BLOCKS: u32 = 9;
export const RULE_LENGTHS: u32 = 10;
export const RULE_TAGS: u32 = 11;
export const RULE_MAPPINGS: u32 = 12;
export const RULE_INDEX: u32 = 13;
export const RULE_PIECES: u32 = 14;
export const RULE_READY: u32 = 15;

// ---- answers of open -----------------------------------------------------------------------------------------------

export const TOO_MANY_FRAMES: u32 = 1;
export const TOO_MUCH_METADATA: u32 = 2;
export const NO_MEMORY: u32 = 3;

// ---- small accessors -----------------------------------------------------------------------------------------------

/** The record of the i-th zone in declared order. */
// @ts-ignore: decorator
@inline
export function zoneRecord(i: u32): usize {
  return <usize>(ZONES + i * ZONE_SIZE);
}
