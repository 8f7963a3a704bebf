/**
 * Where everything lies in linear memory, and how the free frames are described.
 *
 * All state is in linear memory at this layout and nowhere else: there are no globals and no managed objects, so that a
 * copy of memory is a copy of the allocator. The bytes that drivers and devices share are never here; the core manages
 * addresses only.
 *
 *   0        HEADER   REPORT   RING      WORKER        CACHE_STACKS  SIZE_CLASSES  ZONES     Z_ARRAYS     H_MAP_BASE
 *   +--------+--------+--------+---------+-------------+-------------+-------------+---------+------------+-------------+
 *   | static | header | report | request | counters of | cached      | frames to   | zone    | of each    | mappings by |
 *   | data   |        |        | ring    | quick paths | blocks      | a stack     | records | zone       | virtual, by |
 *   |        |        |        |         |             |             |             |         |            | physical    |
 *   +--------+--------+--------+---------+-------------+-------------+-------------+---------+------------+-------------+
 *            |<- counters, scratch ----->|<---------------- the image: decides later answers ---------------------------->|
 *
 *   arrays of a zone, each behind the one before it
 *   +---------------------------+----------------------------+-----------------+----------------------+----------------+
 *   | per group: free bitmap,   | per group: run length,     | class trees     | per frame: length    | per frame: tag |
 *   | block starts; u64 each    | group length tag; u32 each | (class-trees.ts)| tag; u16 or u32      | u32, or none   |
 *   +---------------------------+----------------------------+-----------------+----------------------+----------------+
 *
 * Static data is what the debug build's asserts say; the release build has none and leaves those bytes zero.
 *
 * Frame numbers. The core speaks frame numbers (u32), one numbering over all zones. Zone z holds the numbers
 * [first, first + count). `first` is congruent to the zone's physical frame number modulo a power of two that is not
 * smaller than the zone, so a frame number is aligned exactly where its physical address is. Number 0 is in no zone: it
 * is the null of this module.
 *
 * Groups. A *group* is 64 frames, whatever a frame is: the frames that one u64 can describe. Each is in one of three
 * conditions:
 *
 *   whole   all 64 frames free: the group belongs to a *run*, a maximal stretch of whole groups. Its bitmap is 0. The run's
 *           length stands at its first and at its last group, 0 at all between, so neighbours merge by two look-ups
 *   split   some frames free: bit i of its bitmap is set when frame i is free
 *   full    no frame free: its bitmap is 0
 *
 * Classes. A split group has the class log2 of its longest aligned power-of-two stretch of free frames, 0 to 5; a run has a
 * class by its length, 6 to 63 (bits.ts). Each class has a tree of its members; one u64 says which classes have any.
 *
 * Blocks. A block of up to 64 frames lies inside one group, at a multiple of the largest power of two that divides its
 * frames. A larger one starts at a group; the frames behind its end are free for others. A *length tag* that stands for
 * the exact length in bytes is kept where a block starts, and proves a free in one compare:
 *
 *   fewer than 64 frames   one entry per frame: u16 where a frame has fewer than 1024 bytes, u32 where it has more
 *   64 frames and more     one u32 per group
 *
 * The tag is the length + LENGTH_TAG_BIAS (length-tags.ts). Numbers below that are *sentinels*: 0 says that no block ever
 * started here, the others are listed below.
 *
 * Heads. Where a block of fewer than 64 frames starts, a bit of its group is set; where a larger one starts, the group is
 * in the tree BLOCK_TREE. So whoever holds a frame is found from the last start at or below it.
 *
 * Cached blocks. A freed block of up to 4096 frames may be kept whole for the next request of the same number of frames, on
 * a stack of its size (cache.ts). Its frames are taken, as far as bitmaps and trees know, and a sentinel that names the
 * stack stands in place of its length tag.
 *
 * What is true and what is derived. Length tags, user tags and the mappings say what is live and what is cached. Bitmaps,
 * runs, trees, heads, stacks and counts follow from them; verify.ts compares every word of them with what follows.
 */

// ---- sizes ---------------------------------------------------------------------------------------------------------

/** Bytes of the types. Every offset below is the one before it plus its size; the asserts at the end check what that leaves open. */
export const U16: u32 = 2;
export const U32: u32 = 4;
export const U64: u32 = 8;
export const F64: u32 = 8;
/** A cache line. */
export const LINE: u32 = 64;

/** Static data: what the debug build's asserts say. */
export const STATIC_SIZE: u32 = 4096;

// ---- header --------------------------------------------------------------------------------------------------------

/** `NSHM`, little-endian. */
export const MAGIC: u32 = 0x4d48534e;
/** Raised with every release that changes this layout. */
export const VERSION: u32 = 3;

export const HEADER: u32 = STATIC_SIZE;
export const HEADER_SIZE: u32 = 512;

// What opening writes once and nothing changes: a snapshot must have the same.
export const H_MAGIC: u32 = HEADER;
export const H_VERSION: u32 = H_MAGIC + U32;
export const H_FRAME_SHIFT: u32 = H_VERSION + U32; // log2 of the frame size
export const H_FLAGS: u32 = H_FRAME_SHIFT + U32;
export const H_ZONE_COUNT: u32 = H_FLAGS + U32;
export const H_FIRST_ZONE: u32 = H_ZONE_COUNT + U32; // the zone record with the highest base; Z_NEXT leads on downwards
export const H_LENGTH_TAG_SHIFT: u32 = H_FIRST_ZONE + U32; // 1 or 2: log2 of the bytes of a length tag of a frame
export const H_MAP_BASE: u32 = H_LENGTH_TAG_SHIFT + U32;
export const H_SCATTER_BASE: u32 = H_MAP_BASE + U32; // f64: lowest virtual address for scattered blocks
export const H_NEXT_FRAME: u32 = H_SCATTER_BASE + F64; // first frame number not given to any zone
export const H_TOTAL_FRAMES: u32 = H_NEXT_FRAME + U32;
export const H_CACHED_ORIGIN: u32 = H_TOTAL_FRAMES + U32; // of the zone with the highest base: the first frame of its first group
export const H_CACHED_SPAN: u32 = H_CACHED_ORIGIN + U32; // frames from there to its end
export const H_ALIGNED_STARTS: u32 = H_CACHED_SPAN + U32; // a table of bits.ts: seven u64
// What calls change.
export const H_MAP_CAPACITY: u32 = H_ALIGNED_STARTS + 7 * U64; // records
export const H_MAP_COUNT: u32 = H_MAP_CAPACITY + U32; // records
export const H_INDEX_BASE: u32 = H_MAP_COUNT + U32; // the mappings by physical address
export const H_TAKEN_FRAMES: u32 = H_INDEX_BASE + U32; // in live or cached blocks: what bitmaps and trees do not show as free
export const H_BLOCKS: u32 = H_TAKEN_FRAMES + U32; // live and cached; a scattered block is one
export const H_WITHHELD_FRAMES: u32 = H_BLOCKS + U32;
export const H_PEAK_FRAMES: u32 = H_WITHHELD_FRAMES + U32; // the most that were live at once
export const H_CACHE_LIMIT: u32 = H_PEAK_FRAMES + U32; // so many frames may be cached; 0 while caching is off
export const H_RECENT_ORDER: u32 = H_CACHE_LIMIT + U32; // the largest order that found nothing cached recently
export const H_RECENT_ORDER_NEXT: u32 = H_RECENT_ORDER + U32; // the same since the last look
export const H_SLOW_COUNT: u32 = H_RECENT_ORDER_NEXT + U32; // how often frames of the highest zone were taken or given
export const H_EVICT_STACK: u32 = H_SLOW_COUNT + U32; // eviction goes on at the stack below this number
// Counters and scratch: no answer depends on them.
export const H_MEMORY_PAGES: u32 = H_EVICT_STACK + U32; // 64 KiB pages in use
export const H_GEOMETRY: u32 = H_MEMORY_PAGES + U32; // checksum over what opening wrote once and nothing changes
export const H_FAILURES: u32 = H_GEOMETRY + U32; // f64, exact to 2^53
export const H_REASON: u32 = H_FAILURES + F64; // why the last allocation failed
export const H_FAIL_FREE: u32 = H_REASON + U32; // what was free when the last recorded allocation failed, in frames
export const H_FAIL_LONGEST: u32 = H_FAIL_FREE + U32; // and the longest block that could be had then
export const H_FOUND_HEAD: u32 = H_FAIL_LONGEST + U32; // what `holder` found: the first frame
export const H_FOUND_FRAMES: u32 = H_FOUND_HEAD + U32;
export const H_FOUND_LENGTH: u32 = H_FOUND_FRAMES + U32;
export const H_FOUND_ZONE: u32 = H_FOUND_LENGTH + U32;
export const H_DIGEST_A: u32 = H_FOUND_ZONE + U32; // what a digest left: two u32
export const H_DIGEST_B: u32 = H_DIGEST_A + U32;
export const H_STEPS: u32 = H_DIGEST_B + U32; // debug build: turns of loops so far (steps.ts)
export const H_RESORTS: u32 = H_STEPS + U32; // debug build: how often a last resort was entered
// Reserved for several workers on one core: each on a line of its own, so that waiting for one disturbs no other. Zero.
export const H_LOCK: u32 = (H_RESORTS + U32 + LINE - 1) & ~(LINE - 1);
export const H_LOCK_OWNER: u32 = H_LOCK + LINE; // which worker holds it, and the epoch in which it took it
export const H_WORKER_COUNT: u32 = H_LOCK_OWNER + LINE;

export const FLAG_TAGS: u32 = 1;

// ---- report of verify ----------------------------------------------------------------------------------------------

export const REPORT: u32 = HEADER + HEADER_SIZE;
/** Findings that are kept: { rule u32, frame u32 }. More are counted only. */
export const REPORT_CAPACITY: u32 = 64;
/** The findings, and behind them what the walk adds up (verify.ts). */
export const REPORT_SIZE: u32 = 1024;

// ---- request ring --------------------------------------------------------------------------------------------------

export const RING: u32 = REPORT + REPORT_SIZE;
export const RING_CAPACITY: u32 = 256;

export const R_LENGTH: u32 = 0; // in: bytes
export const R_FLAGS: u32 = R_LENGTH + U32; // in: which constraints below count
export const R_ALIGN_ORDER: u32 = R_FLAGS + U32; // in: log2 of frames
export const R_TAG: u32 = R_ALIGN_ORDER + U32; // in
export const R_NODE: u32 = R_TAG + U32; // in
export const R_PREFERRED: u32 = R_NODE + U32; // in
export const R_HIGHEST: u32 = R_PREFERRED + U32; // in: f64, last physical byte allowed
export const R_BOUNDARY: u32 = R_HIGHEST + F64; // in: f64, bytes
export const R_REASON: u32 = R_BOUNDARY + F64; // out: 0 when served
export const R_FRAME: u32 = R_REASON + U32; // out: first frame, 0 for a scattered block or failure
export const R_VIRTUAL: u32 = R_FRAME + U32; // out: f64, 0 on failure
export const R_PHYSICAL: u32 = R_VIRTUAL + F64; // out: f64, 0 on failure
export const RING_ENTRY: u32 = R_PHYSICAL + F64;

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

// ---- worker record ---------------------------------------------------------------------------------------------------

/**
 * All that a quick path writes but the length tags: these counters, and the stacks behind them. There is one worker today;
 * a second one would have a record of its own.
 */
export const WORKER: u32 = RING + RING_CAPACITY * RING_ENTRY;
export const WORKER_SIZE: u32 = LINE;

/** What decides later answers is in the header, and from here on to the end of the mappings: what a snapshot holds. */
export const IMAGE: u32 = WORKER;

export const W_PEAK_HEADROOM: u32 = WORKER; // how many frames fewer than at the peak are live now
export const W_HEADROOM_LIMIT: u32 = W_PEAK_HEADROOM + U32; // a free caches its block while that leaves the headroom at or below this

// ---- size-class cache ------------------------------------------------------------------------------------------------

/**
 * Stack 0 is for sizes that have none: it is always full and gives nothing. Then one for each size of 1 to 63 frames, one
 * for each of 1 to 64 whole groups, and some for whatever other size is asked for again and again. A size is given its
 * stack at its ASSIGN_AFTER-th slow request (cache.ts).
 */
export const STACK_SHIFT: u32 = 8; // log2 of the bytes of a record; each is aligned to its size
export const STACK_SIZE: u32 = 1 << STACK_SHIFT;
export const STACK_COUNT: u32 = 160;
export const FIRST_ADAPTIVE: u32 = 128;
export const CACHE_STACKS: u32 = (WORKER + WORKER_SIZE + STACK_SIZE - 1) & ~(STACK_SIZE - 1);
export const S_TOP: u32 = 0; // address of the last entry; of S_NONE when there is none
// What the size of the blocks decides, so that no path has to ask which size it is.
export const S_BASE: u32 = S_TOP + U32; // where their length tags are: the zone's first entry per frame, or per group
export const S_ROTATE: u32 = S_BASE + U32; // a frame counted from H_CACHED_ORIGIN, rotated left by so much: the offset of its length tag
export const S_MASK: u32 = S_ROTATE + U32; // the bits of a u32 there that are the length tag
export const S_INNER: u32 = S_MASK + U32; // the bits of a frame number that say that it is no start: those of a frame inside its group, or none
export const S_FRAMES: u32 = S_INNER + U32; // of each block; 0 for a stack that has no size yet
export const S_CANDIDATE: u32 = S_FRAMES + U32; // how often a size asked and had no stack: times << 16 | frames
export const S_NONE: u32 = S_CANDIDATE + U32; // always 0, and read in place of an entry when there is none
export const S_ENTRIES: u32 = S_NONE + U32; // the first of 56 entries: first frames of cached blocks
/** Offset of the last entry there is room for. */
export const STACK_FULL: u32 = STACK_SIZE - U32;

/** From a number of frames less one, 0 to 4095, to the stack of cached blocks of that size: the address of its record, u16. */
export const SIZE_CLASSES: u32 = CACHE_STACKS + STACK_COUNT * STACK_SIZE;
/** The largest block that can be cached. */
export const CACHE_MAX_FRAMES: u32 = 4096;

// ---- groups and classes ----------------------------------------------------------------------------------------------

export const GROUP_SHIFT: u32 = 6;
export const GROUP_FRAMES: u32 = 1 << GROUP_SHIFT;
/** Class of a run of one group. */
export const GROUP_CLASS: u32 = GROUP_SHIFT;
/** Classes there can be: bits of Z_AVAILABLE. */
export const CLASS_LIMIT: u32 = 64;
/** The tree behind those of the classes: the groups where a block of 64 frames and more starts. */
export const BLOCK_TREE: u32 = CLASS_LIMIT;
export const TREE_COUNT: u32 = BLOCK_TREE + 1;
export const TREE_LEVELS: u32 = 5;

/** Per group: the free bitmap (u64), and behind it the starts of blocks of fewer than 64 frames (u64). */
export const BITMAP_SHIFT: u32 = 4;
/** Per group: the run length (u32), and behind it the length tag of a block of 64 frames and more (u32). */
export const RUN_SHIFT: u32 = 3;

// ---- zone records --------------------------------------------------------------------------------------------------

export const ZONES: u32 = SIZE_CLASSES + CACHE_MAX_FRAMES * U16;

// What opening writes once and nothing changes.
export const Z_BASE: u32 = 0; // f64: first physical byte
export const Z_WINDOW: u32 = Z_BASE + F64; // f64: first virtual byte
export const Z_FIRST: u32 = Z_WINDOW + F64; // first frame number
export const Z_COUNT: u32 = Z_FIRST + U32; // frames
export const Z_END: u32 = Z_COUNT + U32; // one past the last frame number
export const Z_NODE: u32 = Z_END + U32;
export const Z_NEXT: u32 = Z_NODE + U32; // the zone with the next lower base, 0 at the end
export const Z_SPAN_ORDER: u32 = Z_NEXT + U32; // frame numbers are congruent to physical ones modulo 2^this
export const Z_WHOLE_FIRST: u32 = Z_SPAN_ORDER + U32; // first group that lies in the zone with all its frames
export const Z_WHOLE_END: u32 = Z_WHOLE_FIRST + U32; // one past the last such group
export const Z_GROUP_FIRST: u32 = Z_WHOLE_END + U32; // first group with a frame in the zone
export const Z_GROUP_END: u32 = Z_GROUP_FIRST + U32; // one past the last such group
// Biased pointers: add the number of the frame or group, scaled; the bias takes the zone's first group off.
export const Z_FREE_BITMAPS: u32 = Z_GROUP_END + U32; // u64 per group, 16 bytes apart
export const Z_HEADS: u32 = Z_FREE_BITMAPS + U32; // u64 per group, 16 bytes apart
export const Z_RUN_LENGTHS: u32 = Z_HEADS + U32; // u32 per group, 8 bytes apart; one more, 0, at each end
export const Z_GROUP_LENGTH_TAGS: u32 = Z_RUN_LENGTHS + U32; // u32 per group, 8 bytes apart
export const Z_LENGTH_TAGS: u32 = Z_GROUP_LENGTH_TAGS + U32; // u16 or u32 per frame
export const Z_TAGS: u32 = Z_LENGTH_TAGS + U32; // u32 per frame; 0 without tags
export const Z_TREE_DEPTH: u32 = Z_TAGS + U32; // levels of each tree
export const Z_TREE_TOP: u32 = Z_TREE_DEPTH + U32; // index of the one word of the top level
export const Z_LEVELS: u32 = Z_TREE_TOP + U32; // of each level, leaves first: biased pointer to the words of tree 0
export const Z_STRIDES: u32 = Z_LEVELS + TREE_LEVELS * U32; // of each level: bytes from one tree to the next
// Where the zone's arrays really lie, for the walk of `verify` and for readers of the image.
export const Z_ARRAYS: u32 = Z_STRIDES + TREE_LEVELS * U32;
export const Z_ARRAYS_END: u32 = Z_ARRAYS + U32;
export const Z_RESERVED: u32 = Z_ARRAYS_END + U32; // zero
// What calls change.
export const Z_FREE: u32 = Z_RESERVED + U32; // free frames
export const Z_AVAILABLE: u32 = Z_FREE + U32; // u64: bit c is set when the tree of class c is not empty
export const Z_CLASS_FRAMES: u32 = Z_AVAILABLE + U64; // u32 per class: frames that its members promise
export const ZONE_SIZE: u32 = Z_CLASS_FRAMES + CLASS_LIMIT * U32;

// ---- sentinels in place of a length tag ----------------------------------------------------------------------------------

/** A piece of a scattered block starts here; its length is in the mappings. */
export const SENTINEL_PIECE: u32 = 1;
/** No live block starts here, one did. */
export const SENTINEL_FREED: u32 = 2;
/** Both: a piece starts here, and a block once did. */
export const SENTINEL_PIECE_FREED: u32 = 3;
/** A cached block of stack k starts here: this + 2 k; one more where a block that started here was freed. */
export const SENTINEL_CACHED: u32 = 256;
/** The address of a stack, shifted right by the first, plus the second: the sentinel of a block of it that was freed. */
export const CACHED_SENTINEL_SHIFT: u32 = STACK_SHIFT - 1;
export const CACHED_SENTINEL_BASE: u32 = SENTINEL_CACHED + 1 - (CACHE_STACKS >> CACHED_SENTINEL_SHIFT);
/** What is added to a length so that it is no sentinel. */
export const LENGTH_TAG_BIAS: u32 = 1024;

// ---- mappings ------------------------------------------------------------------------------------------------------

/** A run of a scattered block or of a foreign range; sorted by virtual address. */
export const M_VIRTUAL: u32 = 0; // f64
export const M_PHYSICAL: u32 = M_VIRTUAL + F64; // f64
export const M_BYTES: u32 = M_PHYSICAL + F64; // f64: bytes of this run
export const M_OWNER: u32 = M_BYTES + F64; // f64: first virtual byte of the block or range this run belongs to
export const M_OWNER_BYTES: u32 = M_OWNER + F64; // f64: its length, as asked for
export const M_KIND: u32 = M_OWNER_BYTES + F64;
export const M_TAG: u32 = M_KIND + U32;
export const MAP_RECORD: u32 = M_TAG + U32;

export const KIND_SCATTERED: u32 = 1;
export const KIND_FOREIGN: u32 = 2;

/** The same runs sorted by physical address. */
export const I_PHYSICAL: u32 = 0; // f64
export const I_BYTES: u32 = I_PHYSICAL + F64; // f64
export const I_VIRTUAL: u32 = I_BYTES + F64; // f64
export const INDEX_RECORD: u32 = I_VIRTUAL + F64;

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
export const RULE_BITMAPS: u32 = 4;
export const RULE_CLASSES: u32 = 5;
export const RULE_RUNS: u32 = 6;
export const RULE_MERGING: u32 = 7;
export const RULE_TREES: u32 = 8;
export const RULE_BLOCKS: u32 = 9;
export const RULE_LENGTHS: u32 = 10;
export const RULE_TAGS: u32 = 11;
export const RULE_MAPPINGS: u32 = 12;
export const RULE_INDEX: u32 = 13;
export const RULE_PIECES: u32 = 14;
export const RULE_CACHE: u32 = 15;
export const RULE_HEADS: u32 = 16;

// ---- answers of open -----------------------------------------------------------------------------------------------

export const TOO_MANY_FRAMES: u32 = 1;
export const TOO_MUCH_METADATA: u32 = 2;
export const NO_MEMORY: u32 = 3;

// ---- what derivation leaves open ------------------------------------------------------------------------------------

// Compile-time asserts: a condition that is false costs nothing, one that is true stops the build with its sentence.
if (H_RESORTS + U32 > H_LOCK || H_WORKER_COUNT + LINE > HEADER + HEADER_SIZE) ERROR("the header's fields do not fit HEADER_SIZE");
if ((H_ALIGNED_STARTS | H_SCATTER_BASE | H_FAILURES | H_CACHED_ORIGIN) % 8) ERROR("a field of 8 bytes in the header is not aligned to 8");
if (H_LOCK % LINE || WORKER % LINE) ERROR("what a worker writes lies on lines of its own");
if (REPORT_CAPACITY * 2 * U32 + (8 + TREE_COUNT) * U32 > REPORT_SIZE) ERROR("the report and the sums behind it do not fit REPORT_SIZE");
if (RING_ENTRY != LINE || (R_HIGHEST | R_BOUNDARY | R_VIRTUAL | R_PHYSICAL) % 8) ERROR("a ring entry is one line of 64 bytes, its f64 aligned");
if ((RING | SIZE_CLASSES | ZONES | ZONE_SIZE | MAP_RECORD | INDEX_RECORD) % 8) ERROR("a region or a record is not aligned to 8");
if (CACHE_STACKS % STACK_SIZE) ERROR("the top of a stack alone must say that it is full");
if (SIZE_CLASSES > 0xffff) ERROR("the table of size classes holds addresses of stacks in 16 bits");
if ((STACK_FULL - S_ENTRIES) % U32 || S_ENTRIES != S_NONE + U32) ERROR("the entries of a stack follow S_NONE");
if ((Z_BASE | Z_WINDOW | Z_AVAILABLE) % 8) ERROR("a field of a zone record is not aligned");
if ((M_VIRTUAL | M_PHYSICAL | M_BYTES | M_OWNER | M_OWNER_BYTES | I_PHYSICAL | I_BYTES | I_VIRTUAL) % 8) ERROR("a field of a mapping is not aligned to 8");
if (SENTINEL_CACHED + 2 * STACK_COUNT > LENGTH_TAG_BIAS) ERROR("a sentinel is less than any length tag");
if (LENGTH_TAG_BIAS + 63 * 512 > 0xffff) ERROR("the longest block of fewer than 64 frames has a length tag of 16 bits where frames have 512 bytes");
if (LENGTH_TAG_BIAS & (LENGTH_TAG_BIAS - 1)) ERROR("the quick allocation masks a sentinel away");

// ---- small accessors -----------------------------------------------------------------------------------------------

/** The record of the i-th zone in declared order. */
// @ts-ignore: decorator
@inline
export function zoneRecord(i: u32): usize {
  return <usize>(ZONES + i * ZONE_SIZE);
}
