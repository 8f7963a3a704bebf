/**
 * Goal: every rule of `verify` finds the damage it exists for, by name, and a damaged core never does worse than stop.
 *
 * Method: a core with a block of every kind is damaged through its memory, one field at a time. First by hand, a damage
 * for each rule; then by machine, every single bit of the state of a small core (misuse J01); then random words, followed
 * by ten thousand operations (misuse J02).
 *
 * timeout: 300 s
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core, ShmemError, type VirtualAddress } from "../../bindings/core/index.js";
import { planCore } from "../../bindings/core/options.js";
import { findings, UNREADABLE } from "../../bindings/core/rules.js";
import { CoreState } from "../../bindings/core/state.js";
import { releaseModule } from "../../bindings/core/wasm.js";
import { Layout as L } from "../../bindings/generated/layout.js";

const FRAME = 64;
const PAGE = 64;
const OPTIONS = {
  zones: [
    { base: 0x10000, size: 40 * PAGE * FRAME },
    { base: 0x200000 + 3 * FRAME, size: 300 * FRAME, node: 1 },
  ],
  frameSize: FRAME,
  arena: null,
  tags: true,
} as const;

const FOREIGN_AT = 2 ** 50;

interface Damaged {
  readonly state: CoreState;
  /** First frames of live blocks: of 3 frames, of 200 frames, of 2 pages. */
  readonly small: number;
  readonly large: number;
  readonly keyed: number;
  /** First frame of the block that was last made ready. */
  readonly ready: number;
  /** First frame of the longest piece of the scattered block. */
  readonly piece: number;
  /** A frame that is free and in a split page. */
  readonly free: number;
}

/** A core with small and large blocks, a former block, a split page, runs of pages, a scattered and a foreign range. */
function prepare(): Damaged {
  const state = new CoreState(planCore(OPTIONS), releaseModule());
  const { wasm, views } = state;
  const zone0 = state.zones[0] as (typeof state.zones)[number];
  const zone1 = state.zones[1] as (typeof state.zones)[number];
  const take = (lengthBytes: number, node: number, tag: number): number => {
    views.u32[(L.RING + L.R_LENGTH) >>> 2] = lengthBytes;
    views.u32[(L.RING + L.R_TAG) >>> 2] = tag;
    views.u32[(L.RING + L.R_NODE) >>> 2] = node;
    views.u32[(L.RING + L.R_FLAGS) >>> 2] = L.HAS_NODE;
    assert.is(wasm.serve(1), 1);
    return views.word(L.RING + L.R_FRAME);
  };
  for (let i = 0; i < zone1.count; i++) take(FRAME, 1, 7);
  const small = take(3 * FRAME - 5, 0, 8);
  const large = take(200 * FRAME - 1, 0, 9);
  const keyed = take(128 * FRAME - 9, 0, 12);
  const former = take(5 * FRAME, 0, 10);
  wasm.freeAny(former, 5 * FRAME);
  // Every second half page of zone 1 goes back, so that only pieces are left of it.
  for (let frame = zone1.first; frame < zone1.first + zone1.count; frame++)
    if ((frame & 32) === 0) wasm.freeAny(frame, FRAME);
  wasm.flush();
  views.u32[(L.RING + L.R_LENGTH) >>> 2] = 90 * FRAME;
  views.u32[(L.RING + L.R_TAG) >>> 2] = 11;
  views.u32[(L.RING + L.R_NODE) >>> 2] = 1;
  views.u32[(L.RING + L.R_FLAGS) >>> 2] = L.MAY_SCATTER | L.HAS_NODE;
  assert.is(wasm.serve(1), 1);
  const group = views.float(L.RING + L.R_VIRTUAL);
  assert.ok(group >= state.plan.scatterBase, "the block is scattered");
  wasm.reserve(2);
  wasm.insert(FOREIGN_AT, 2 ** 44, 100, FOREIGN_AT, 150, L.KIND_FOREIGN, 0);
  wasm.insert(FOREIGN_AT + 100, 2 ** 43, 50, FOREIGN_AT, 150, L.KIND_FOREIGN, 0);
  const physical = views.float((wasm.mappingAt(group) >>> 0) + L.M_PHYSICAL);
  const piece = zone1.first + (physical - zone1.base) / FRAME;
  assert.is(zone0.first + zone0.count > large, true);
  // Cached blocks of the highest zone: two that were live, in one half group that nothing else uses.
  // A size has its stack from its fourth slow request on; the requests above are constrained and do not count.
  for (let i = 0; i < 4; i++) wasm.freeAny(wasm.allocate(FRAME), FRAME);
  wasm.flush();
  const [one, two] = [0, 0].map(() => take(FRAME, 1, 7)) as [number, number];
  assert.is(wasm.freeAny(one, FRAME), L.OK);
  assert.is(wasm.freeAny(two, FRAME), L.OK);
  assert.is(wasm.cachedBlocks(), 2);
  assert.equal(rules(state), [], "the core is sound before it is damaged");
  return { state, small, large, keyed, piece, free: former, ready: two };
}

function rules(state: CoreState): string[] {
  try {
    return [...new Set(findings(state, state.audit.verify() >>> 0).map(({ rule }) => rule))];
  } catch (error) {
    assert.instance(error, WebAssembly.RuntimeError);
    return [UNREADABLE.rule];
  }
}

/** The address of a field of zone i. */
function zoneField(i: number, field: number): number {
  return L.ZONES + i * L.ZONE_SIZE + field;
}

function wordAddress(state: CoreState, zone: number, page: number): number {
  return (state.views.word(zoneField(zone, L.Z_FREE_BITMAPS)) + page * 16) >>> 0;
}

function codeAddress(state: CoreState, zone: number, frame: number): number {
  return (state.views.word(zoneField(zone, L.Z_LENGTH_TAGS)) + frame * 2) >>> 0;
}

function pageCodeAddress(state: CoreState, zone: number, page: number): number {
  return (state.views.word(zoneField(zone, L.Z_GROUP_LENGTH_TAGS)) + page * 8) >>> 0;
}

function stackAddress(stack: number): number {
  return L.CACHE_STACKS + (stack << L.STACK_SHIFT);
}

/** Where the address of the stack for so many frames stands. */
function keyAddress(frames: number): number {
  return L.SIZE_CLASSES + 2 * (frames - 1);
}

/** The byte with the leaf of a group in a tree. */
function leafAddress(state: CoreState, zone: number, cls: number, group: number): number {
  const { views } = state;
  const words = views.word(zoneField(zone, L.Z_LEVELS)) + cls * views.word(zoneField(zone, L.Z_STRIDES));
  return (words + (group >>> 6) * 8 + ((group & 63) >>> 3)) >>> 0;
}

function runLengthAddress(state: CoreState, zone: number, group: number): number {
  return (state.views.word(zoneField(zone, L.Z_RUN_LENGTHS)) + group * 8) >>> 0;
}

function headsAddress(state: CoreState, zone: number, group: number): number {
  return (state.views.word(zoneField(zone, L.Z_HEADS)) + group * 16) >>> 0;
}

function setU16(state: CoreState, at: number, value: number): void {
  new DataView(state.views.u8.buffer).setUint16(at, value, true);
}

function setU32(state: CoreState, at: number, value: number): void {
  new DataView(state.views.u8.buffer).setUint32(at, value, true);
}

function setF64(state: CoreState, at: number, value: number): void {
  new DataView(state.views.u8.buffer).setFloat64(at, value, true);
}

function flipBit(state: CoreState, at: number, bit: number): void {
  state.views.u8[at] = (state.views.u8[at] as number) ^ (1 << bit);
}

/** The first run of whole groups in zone 0: its class, first group and length. */
function firstRun(state: CoreState): { cls: number; page: number; length: number } {
  const zone = state.zones[0] as (typeof state.zones)[number];
  for (let page = zone.first / PAGE; page < (zone.first + zone.count) / PAGE; page++) {
    const length = state.views.word(runLengthAddress(state, 0, page));
    if (length < 3) continue; // long enough for every damage
    for (let cls = 6; cls < L.CLASS_LIMIT; cls++)
      if ((state.views.u8[leafAddress(state, 0, cls, page)] as number) & (1 << (page & 7)))
        return { cls, page, length };
  }
  throw new Error("no run is free");
}

const record = (state: CoreState, virtual: number): number => state.wasm.mappingAt(virtual) >>> 0;

const damages: readonly (readonly [rule: string, what: string, damage: (core: Damaged) => void])[] = [
  ["geometry", "the magic", ({ state }) => setU32(state, L.HEADER, 0)],
  ["geometry", "a zone's base", ({ state }) => setF64(state, zoneField(1, L.Z_BASE), 0x300000)],
  ["geometry", "a pointer to an array", ({ state }) => setU32(state, zoneField(0, L.Z_FREE_BITMAPS), 0x7fffffff)],
  ["geometry", "the capacity of the mappings", ({ state }) => setU32(state, L.H_MAP_CAPACITY, 1 << 19)],
  [
    "partition",
    "a live frame set free in its word",
    ({ state, small }) => flipBit(state, wordAddress(state, 0, small >>> 6) + ((small & 63) >>> 3), small & 7),
  ],
  [
    "partition",
    "a free frame taken from its word",
    ({ state, free }) => flipBit(state, wordAddress(state, 0, free >>> 6) + ((free & 63) >>> 3), free & 7),
  ],
  ["partition", "a block that nobody ended", ({ state, small }) => setU16(state, codeAddress(state, 0, small), 0)],
  ["counts", "the taken frames of all zones", ({ state }) => setU32(state, L.H_TAKEN_FRAMES, 1)],
  ["counts", "the free frames of one zone", ({ state }) => setU32(state, zoneField(1, L.Z_FREE), 1)],
  ["counts", "the number of blocks", ({ state }) => setU32(state, L.H_BLOCKS, state.views.word(L.H_BLOCKS) + 1)],
  ["counts", "a peak below what is live", ({ state }) => setU32(state, L.H_PEAK_FRAMES, 1)],
  [
    "bitmaps",
    "a word of all ones",
    ({ state }) => {
      const at = wordAddress(state, 0, firstRun(state).page);
      setU32(state, at, 0xffffffff);
      setU32(state, at + 4, 0xffffffff);
    },
  ],
  [
    "classes",
    "a split page in a second tree",
    ({ state, free }) => {
      const page = free >>> 6;
      flipBit(state, leafAddress(state, 0, 0, page), page & 7);
    },
  ],
  [
    "runs",
    "a length inside a run",
    ({ state }) => {
      const { page, length } = firstRun(state);
      assert.ok(length > 2, "the run has groups between its ends");
      setU32(state, runLengthAddress(state, 0, page + 1), 1);
    },
  ],
  [
    "runs",
    "a run with another length at its end",
    ({ state }) => {
      const { page, length } = firstRun(state);
      setU32(state, runLengthAddress(state, 0, page + length - 1), length - 1);
    },
  ],
  [
    "runs",
    "a length before the first group",
    ({ state }) => {
      const zone = state.zones[0] as (typeof state.zones)[number];
      setU32(state, runLengthAddress(state, 0, (zone.first >>> 6) - 1), 1);
    },
  ],
  [
    "merging",
    "a run cut in two",
    ({ state }) => {
      const { cls, page, length } = firstRun(state);
      for (const at of [page, page + 1]) setU32(state, runLengthAddress(state, 0, at), at === page ? 1 : length - 1);
      setU32(state, runLengthAddress(state, 0, page + length - 1), length - 1);
      flipBit(state, leafAddress(state, 0, cls, page), page & 7);
      flipBit(state, leafAddress(state, 0, 6, page), page & 7);
    },
  ],
  [
    "classes",
    "a run in the tree of another class",
    ({ state }) => {
      const { cls, page } = firstRun(state);
      flipBit(state, leafAddress(state, 0, cls, page), page & 7);
      flipBit(state, leafAddress(state, 0, cls + 1, page), page & 7);
    },
  ],
  [
    "heads",
    "a block that lost its head",
    ({ state, small }) => flipBit(state, headsAddress(state, 0, small >>> 6) + ((small & 63) >>> 3), small & 7),
  ],
  [
    "heads",
    "a head inside a block",
    ({ state, small }) =>
      flipBit(state, headsAddress(state, 0, small >>> 6) + (((small + 1) & 63) >>> 3), (small + 1) & 7),
  ],
  [
    "heads",
    "a long block that is not among the starts of blocks",
    ({ state, large }) => flipBit(state, leafAddress(state, 0, L.BLOCK_TREE, large >>> 6), (large >>> 6) & 7),
  ],
  ["trees", "the mask of available classes", ({ state }) => setU32(state, zoneField(0, L.Z_AVAILABLE), 0)],
  [
    "trees",
    "a class that the zone cannot have",
    ({ state }) =>
      setU32(state, zoneField(0, L.Z_AVAILABLE) + 4, state.views.word(zoneField(0, L.Z_AVAILABLE) + 4) | 0x80000000),
  ],
  [
    "blocks",
    "two blocks on one frame",
    ({ state, small }) => setU16(state, codeAddress(state, 0, small + 1), FRAME + L.LENGTH_TAG_BIAS),
  ],
  [
    "blocks",
    "a long block that leaves its zone",
    ({ state, large }) => setU32(state, pageCodeAddress(state, 0, large >>> 6), 0x7fffffff),
  ],
  [
    "lengths",
    "a short block in the array of the long",
    ({ state, large }) => setU32(state, pageCodeAddress(state, 0, large >>> 6), 3 * L.LENGTH_TAG_BIAS),
  ],
  [
    "lengths",
    "a long block in the array of the short",
    ({ state, small }) => setU16(state, codeAddress(state, 0, small), 64 * FRAME + L.LENGTH_TAG_BIAS),
  ],
  [
    "lengths",
    "a mark that is none, of a page",
    ({ state, keyed }) => setU32(state, pageCodeAddress(state, 0, (keyed >>> 6) + 1), 7),
  ],
  ["lengths", "a mark that is none", ({ state, free }) => setU16(state, codeAddress(state, 0, free), 6)],
  ["lengths", "a code of no bytes", ({ state, free }) => setU16(state, codeAddress(state, 0, free), L.LENGTH_TAG_BIAS)],
  [
    "cache",
    "a stack that lost its last block",
    ({ state }) => setU32(state, stackAddress(1), state.views.word(stackAddress(1)) - 4),
  ],
  [
    "cache",
    "a stack higher than it can be",
    ({ state }) => setU32(state, stackAddress(1), stackAddress(1) + L.STACK_SIZE),
  ],
  [
    "cache",
    "a stack lower than it can be",
    ({ state }) => setU32(state, stackAddress(1), stackAddress(1) + L.S_NONE - 4),
  ],
  ["cache", "a block on a stack twice", ({ state, ready }) => setU32(state, stackAddress(1) + L.S_ENTRIES, ready)],
  ["cache", "a live block on a stack", ({ state, small }) => setU32(state, stackAddress(1) + L.S_ENTRIES, small)],
  ["cache", "a frame of no zone on a stack", ({ state }) => setU32(state, stackAddress(1) + L.S_ENTRIES, 1)],
  ["cache", "something in place of no entry", ({ state }) => setU32(state, stackAddress(9) + L.S_NONE, 1)],
  ["cache", "a ready block that lost its mark", ({ state, ready }) => setU16(state, codeAddress(state, 1, ready), 0)],
  [
    "cache",
    "a sentinel without a cached block",
    ({ state, free }) => setU16(state, codeAddress(state, 0, free), L.SENTINEL_CACHED + 2),
  ],
  [
    "cache",
    "a sentinel of another stack",
    ({ state, ready }) => setU16(state, codeAddress(state, 1, ready), L.SENTINEL_CACHED + 5),
  ],
  ["cache", "a size that leads to the stack of another", ({ state }) => setU16(state, keyAddress(3), stackAddress(4))],
  ["cache", "a size that leads nowhere", ({ state }) => setU16(state, keyAddress(3), stackAddress(4) + 4)],
  ["cache", "a stack that no size leads to", ({ state }) => setU16(state, keyAddress(1), stackAddress(0))],
  [
    "cache",
    "a stack for any size that took one of a fixed one",
    ({ state }) => {
      setU32(state, stackAddress(L.FIRST_ADAPTIVE) + L.S_FRAMES, 3);
      setU16(state, keyAddress(3), stackAddress(L.FIRST_ADAPTIVE));
    },
  ],
  [
    "counts",
    "how far below the peak it is",
    ({ state }) => setU32(state, L.W_PEAK_HEADROOM, state.views.word(L.W_PEAK_HEADROOM) + 1),
  ],
  ["counts", "the limit of that", ({ state }) => setU32(state, L.W_HEADROOM_LIMIT, 0x7fff)],
  ["counts", "how much may be cached", ({ state }) => setU32(state, L.H_CACHE_LIMIT, 0x7fff)],
  ["trees", "what a class promises", ({ state }) => setU32(state, zoneField(0, L.Z_CLASS_FRAMES), 99)],
  ["geometry", "where the codes of a stack are", ({ state }) => setU32(state, stackAddress(5) + L.S_BASE, 0)],
  [
    "tags",
    "a tag where no block starts",
    ({ state, free }) => setU32(state, (state.views.word(zoneField(0, L.Z_TAGS)) + free * 4) >>> 0, 1),
  ],
  [
    "mappings",
    "a run that moved",
    ({ state }) => setF64(state, record(state, FOREIGN_AT) + L.M_VIRTUAL, FOREIGN_AT + 1),
  ],
  [
    "mappings",
    "a range that lost bytes",
    ({ state }) => setF64(state, record(state, FOREIGN_AT) + L.M_OWNER_BYTES, 149),
  ],
  ["mappings", "a kind that is none", ({ state }) => setU32(state, record(state, FOREIGN_AT) + L.M_KIND, 3)],
  ["mappings", "a record forgotten", ({ state }) => setU32(state, L.H_MAP_COUNT, state.views.word(L.H_MAP_COUNT) - 1)],
  [
    "index",
    "a physical address that differs",
    ({ state }) => setF64(state, (state.wasm.mappingAtPhysical(2 ** 44) >>> 0) + L.I_PHYSICAL, 2 ** 44 + 1),
  ],
  ["index", "something behind the last record", ({ state }) => setU32(state, state.views.word(L.H_INDEX_BASE) - 8, 1)],
  ["pieces", "a piece that lost its mark", ({ state, piece }) => setU16(state, codeAddress(state, 1, piece), 0)],
  ["pieces", "a mark without a piece", ({ state, small }) => setU16(state, codeAddress(state, 0, small), 1)],
];

const planted = suite("corruption");

for (const [rule, what, damage] of damages)
  planted(`verify names the rule ${rule} for ${what}`, () => {
    const core = prepare();
    damage(core);
    assert.ok(rules(core.state).includes(rule), `found ${JSON.stringify(rules(core.state))}`);
  });

planted("every rule has a damage that it finds, except the one for walks that leave the memory", () => {
  const known = Object.keys(L).filter((name) => name.startsWith("RULE_"));
  const tried = new Set(damages.map(([rule]) => `RULE_${rule.toUpperCase()}`));
  assert.equal([...tried].sort(), known.sort());
});

planted("misuse J06: verify changes nothing", () => {
  const { state } = prepare();
  state.audit.imageDigest();
  const before = [state.views.word(L.H_DIGEST_A), state.views.word(L.H_DIGEST_B)];
  for (let i = 0; i < 3; i++) assert.equal(rules(state), []);
  state.audit.imageDigest();
  assert.equal([state.views.word(L.H_DIGEST_A), state.views.word(L.H_DIGEST_B)], before);
});

/** Fields in which another value is another sound state, so that no walk can call it wrong. */
function isFreeChoice(state: CoreState, at: number): string | undefined {
  const inside = (from: number, bytes: number): boolean => at >= from && at < from + bytes;
  if (inside(L.H_FAILURES, L.H_LOCK - L.H_FAILURES)) return "a counter, or scratch";
  if (inside(L.H_MEMORY_PAGES, 4)) return "scratch";
  // The lines of the words that are reserved for several workers.
  for (const word of [L.H_LOCK, L.H_LOCK_OWNER, L.H_WORKER_COUNT]) if (inside(word + 4, 60)) return "nothing";
  if (inside(L.W_HEADROOM_LIMIT + 4, L.CACHE_STACKS - L.W_HEADROOM_LIMIT - 4)) return "nothing";
  if (inside(L.H_RECENT_ORDER, 16)) return "what was asked for recently";
  for (let stack = 0; stack < L.STACK_COUNT; stack++) {
    const from = stackAddress(stack);
    const above = state.views.word(from) + 4;
    if (stack > 0 && inside(above, from + L.STACK_SIZE - above)) return "above the top of a stack";
    if (stack > 0 && inside(from + L.S_CANDIDATE, 4)) return "what was asked for recently";
  }
  for (const [i, zone] of state.zones.entries()) {
    const marks = "a length within its last frame, or the mark of a former block";
    const pages = Math.ceil((zone.first + zone.count) / 64) - (zone.first >>> 6);
    if (inside(codeAddress(state, i, (zone.first >>> 6) * 64), pages * 128)) return marks;
    for (let k = 0; k < pages; k++) if (inside(pageCodeAddress(state, i, (zone.first >>> 6) + k), 4)) return marks;
    const tags = (state.views.word(zoneField(i, L.Z_TAGS)) + zone.first * 4) >>> 0;
    if (inside(tags, zone.count * 4)) return "the tag of a live block";
  }
  const map = state.views.word(L.H_MAP_BASE);
  for (let k = 0; k < state.views.word(L.H_MAP_COUNT); k++) {
    const from = map + k * L.MAP_RECORD;
    if (inside(from + L.M_TAG, 4)) return "the tag of a live block";
    if (inside(from + L.M_OWNER_BYTES, 8)) return "a length within its last frame";
  }
  return undefined;
}

planted("misuse J01: each single flipped bit of the state is found, or another sound state", () => {
  const { state } = prepare();
  const clean = state.views.u8.slice();
  const end = state.views.word(L.H_INDEX_BASE) + state.views.word(L.H_MAP_CAPACITY) * L.INDEX_RECORD;
  const silent = new Map<string, number>();
  let found = 0;
  for (let at = L.HEADER; at < end; at++) {
    if (at === L.HEADER + L.HEADER_SIZE) at = L.IMAGE; // the report and the ring are no state
    // Most of the image is room above the tops of stacks. It is all alike: one bit of a word stands for the others.
    const alike = isFreeChoice(state, at) === "above the top of a stack";
    for (let bit = 0; bit < (alike ? (at % 4 === 0 ? 1 : 0) : 8); bit++) {
      flipBit(state, at, bit);
      if (rules(state).length > 0) found++;
      else {
        const why = isFreeChoice(state, at);
        assert.ok(why !== undefined, `bit ${bit} of byte ${at} is flipped and nothing says so`);
        silent.set(why, (silent.get(why) ?? 0) + 1);
      }
      state.views.u8.set(clean.subarray(at, at + 1), at);
      if (state.views.u8.length !== clean.length) throw new Error("verify grew the memory");
    }
  }
  assert.ok(found > 100_000, `${found} flips were found`);
  assert.equal(rules(state), []);
});

/** A core and its memory, which the class keeps to itself: seen while the instance is made. */
function openReachable(): { readonly core: Core; readonly memory: WebAssembly.Memory } {
  const original = WebAssembly.Instance;
  let memory: WebAssembly.Memory | undefined;
  WebAssembly.Instance = new Proxy(original, {
    construct(target, args) {
      const instance = Reflect.construct(target, args) as WebAssembly.Instance;
      memory = instance.exports.memory as WebAssembly.Memory;
      return instance;
    },
  });
  try {
    const core = Core.openSync({ zones: [{ base: 0x100000, size: 0x40000 }], frameSize: FRAME, arena: null });
    if (memory === undefined) throw new Error("no instance was made");
    return { core, memory };
  } finally {
    WebAssembly.Instance = original;
  }
}

planted(
  "misuse J02 to J05: damaged words end in STATE_CORRUPT or in sound operation, never in an untyped error",
  () => {
    let poisoned = 0;
    for (let seed = 1; seed <= 60; seed++) {
      let x = seed * 2654435761;
      const random = (below: number): number => {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        return (x >>> 0) % below;
      };
      const { core, memory } = openReachable();
      const live = new Map<number, number>();
      for (let i = 0; i < 300; i++) {
        const length = 1 + random(3000);
        const address = core.allocate(length);
        if (address !== 0) live.set(address, length);
      }
      const words = new Uint32Array(memory.buffer, L.ZONES);
      for (let i = 0; i < 60; i++) words[random(words.length)] = x;
      let stopped = false;
      for (let i = 0; i < 10_000 && !stopped; i++) {
        try {
          if (random(2) === 0) {
            const length = 1 + random(5000);
            const address = core.allocate(length);
            if (address !== 0) live.set(address, length);
          } else {
            const [address, length] = [...live].at(random(Math.max(1, live.size))) ?? [0, 1];
            live.delete(address);
            core.free(address as VirtualAddress, length);
          }
        } catch (error) {
          assert.instance(error, ShmemError, `seed ${seed}: ${String(error)}`);
          stopped = (error as ShmemError).code === "STATE_CORRUPT";
        }
      }
      if (!stopped) continue;
      poisoned++;
      assert.type(core.stats().totalBytes, "number");
      for (const call of [() => core.allocate(1), () => core.digest(), () => core.snapshot()]) {
        try {
          call();
          assert.unreachable("a poisoned core answered");
        } catch (error) {
          assert.is((error as ShmemError).code, "STATE_CORRUPT");
        }
      }
      core.dispose();
    }
    assert.ok(poisoned > 0, "some damage was met by an operation");
  },
);

planted.run();
