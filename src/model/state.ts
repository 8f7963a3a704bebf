/**
 * Everything the judge remembers, and the two digests over it.
 *
 *     zones       who holds each frame
 *     blocks      live blocks by their virtual start
 *     mappings    what lies outside the windows: scattered blocks and foreign ranges
 *     tombstones  window addresses where a block once started, whatever became of them since; a scattered block's address
 *                 is outside every zone and mapping as soon as the block is freed, and is forgotten
 */
import type { BrokenRule, CorePlan } from "../../bindings/index.js";
import type { JudgeBlock } from "./block.js";
import { DigestWords } from "./digest.js";
import { joined, Mappings, meet, type Run } from "./mappings.js";
import { framesOf, largestRun, type Piece } from "./placement.js";
import { JudgeZone } from "./zone.js";

/** A length is 32 bits: the longest free run may be longer than any block can be. */
const LONGEST_LENGTH = 0xffffffff;
const SEPARATOR = 0xffffffff;
const KIND_SCATTERED = 1;
const KIND_FOREIGN = 2;

/** The state of one judge. Methods here trust their arguments; the judge has checked them. */
export class JudgeState {
  readonly plan: CorePlan;
  readonly zones: readonly JudgeZone[];
  readonly blocks: Map<number, JudgeBlock> = new Map();
  readonly mappings: Mappings = new Mappings();
  readonly tombstones: Set<number> = new Set();
  peakLiveBytes = 0;
  failures = 0;
  readonly #byId: Map<number, JudgeBlock> = new Map();
  #nextId = 1;

  constructor(plan: CorePlan) {
    this.plan = plan;
    this.zones = plan.zones.map((zone) => new JudgeZone(zone, plan.frameSize));
  }

  get freeBytes(): number {
    return this.zones.reduce((sum, zone) => sum + zone.free, 0) * this.plan.frameSize;
  }

  get liveBytes(): number {
    return this.plan.totalBytes - this.freeBytes;
  }

  get largestFreeBytes(): number {
    return Math.min(largestRun(this.zones) * this.plan.frameSize, LONGEST_LENGTH);
  }

  /** Make a block live: in a window when `contiguous`, else behind the windows at `virtual`. */
  add(pieces: readonly Piece[], virtual: number, lengthBytes: number, tag: number, contiguous: boolean): JudgeBlock {
    const block: JudgeBlock = { id: this.#nextId++, virtual, lengthBytes, tag, pieces, contiguous };
    for (const piece of pieces) piece.zone.take(piece.start, piece.count, block.id);
    this.blocks.set(virtual, block);
    this.#byId.set(block.id, block);
    if (!contiguous) {
      const bytes = framesOf(lengthBytes, this.plan.frameSize) * this.plan.frameSize;
      this.mappings.add({ virtual, bytes, runs: runsOf(pieces), block });
    }
    this.peakLiveBytes = Math.max(this.peakLiveBytes, this.liveBytes);
    return block;
  }

  /** End a block. */
  remove(block: JudgeBlock): void {
    for (const piece of block.pieces) piece.zone.give(piece.start, piece.count, block.id);
    this.blocks.delete(block.virtual);
    this.#byId.delete(block.id);
    if (block.contiguous) this.tombstones.add(block.virtual);
    else {
      const mapping = this.mappings.at(block.virtual);
      if (mapping === undefined) throw new Error(`the scattered block ${block.id} has no mapping`);
      this.mappings.remove(mapping);
    }
  }

  /** The zone and frame of a virtual address in a window. */
  inWindow(address: number): { readonly zone: JudgeZone; readonly frame: number } | undefined {
    const zone = this.zones.find((one) => address >= one.window && address < one.window + one.size);
    return zone && { zone, frame: Math.floor((address - zone.window) / zone.frameSize) };
  }

  /** The zone and frame of a physical address. */
  inZone(physical: number): { readonly zone: JudgeZone; readonly frame: number } | undefined {
    const zone = this.zones.find((one) => physical >= one.base && physical < one.base + one.size);
    return zone && { zone, frame: Math.floor((physical - zone.base) / zone.frameSize) };
  }

  /** The block that holds a frame. */
  holderOf(zone: JudgeZone, frame: number): JudgeBlock | undefined {
    return this.#byId.get(zone.ownerOf(frame));
  }

  /** The live contiguous block around an address in a window; a scattered block holds frames, not window addresses. */
  windowBlock(address: number): JudgeBlock | undefined {
    const place = this.inWindow(address);
    const block = place && this.holderOf(place.zone, place.frame);
    return block?.contiguous === true ? block : undefined;
  }

  /** Logical state: zones, live blocks, mappings. */
  digest(): DigestWords {
    const words = new DigestWords().word(this.plan.frameSize).word(this.zones.length);
    for (const zone of this.zones) words.pair(zone.base).pair(zone.size).word(zone.node).pair(zone.window);
    for (const zone of this.zones) {
      for (const extent of zone.extents) {
        const block = this.holderOf(zone, extent.start);
        if (block === undefined) throw new Error(`frame ${extent.start} is held by no block`);
        if (!block.contiguous) continue;
        words
          .pair(zone.base + extent.start * zone.frameSize)
          .word(block.lengthBytes)
          .word(block.tag);
      }
    }
    words.word(SEPARATOR);
    for (const { virtual, bytes, runs, block } of this.mappings.all) {
      words.pair(virtual).pair(block === undefined ? bytes : block.lengthBytes);
      words.word(block === undefined ? KIND_FOREIGN : KIND_SCATTERED).word(block === undefined ? 0 : block.tag);
      words.word(runs.length);
      for (const run of runs) words.pair(run.physical).pair(run.lengthBytes);
    }
    return words;
  }

  /** The logical state and the tombstones. Placement follows from the state alone, so nothing else matters later. */
  imageDigest(): DigestWords {
    const words = this.digest().word(SEPARATOR);
    for (const address of [...this.tombstones].sort((one, two) => one - two)) words.pair(address);
    return words;
  }

  /** Count everything again from what the blocks say. */
  verify(): BrokenRule[] {
    const broken: BrokenRule[] = [];
    const { frameSize } = this.plan;
    for (const [virtual, block] of this.blocks) {
      const frames = block.pieces.reduce((sum, piece) => sum + piece.count, 0);
      if (virtual !== block.virtual || this.#byId.get(block.id) !== block)
        broken.push({ rule: "index", frame: -1, message: `block ${block.id} is listed wrongly` });
      if (frames !== framesOf(block.lengthBytes, frameSize))
        broken.push({ rule: "exact frames", frame: -1, message: `${block.lengthBytes} bytes hold ${frames} frames` });
      const listed = this.mappings.at(virtual)?.block === block;
      if (listed === block.contiguous)
        broken.push({ rule: "mapping", frame: -1, message: `block ${block.id} is mapped wrongly` });
    }
    if (this.#byId.size !== this.blocks.size)
      broken.push({ rule: "index", frame: -1, message: `${this.#byId.size} ids for ${this.blocks.size} blocks` });
    let firstFrame = 0;
    for (const zone of this.zones) {
      const claims = [...this.blocks.values()].flatMap((block) =>
        block.pieces
          .filter((piece) => piece.zone === zone)
          .map((piece) => ({ start: piece.start, end: piece.start + piece.count, owner: block.id })),
      );
      broken.push(...zone.disagreements(firstFrame, claims));
      firstFrame += zone.frames;
    }
    broken.push(...this.#brokenMappings());
    return broken;
  }

  #brokenMappings(): BrokenRule[] {
    const broken: BrokenRule[] = [];
    let previousEnd = 0;
    const runs: Run[] = [];
    for (const mapping of this.mappings.all) {
      const where = `the mapping at ${mapping.virtual}`;
      if (mapping.virtual < previousEnd)
        broken.push({ rule: "mapping order", frame: -1, message: `${where} meets the one before` });
      previousEnd = mapping.virtual + mapping.bytes;
      if (this.zones.some((zone) => meet(zone.window, zone.size, mapping.virtual, mapping.bytes)))
        broken.push({ rule: "mapping window", frame: -1, message: `${where} meets a window` });
      if (mapping.runs.reduce((sum, run) => sum + run.lengthBytes, 0) !== mapping.bytes)
        broken.push({ rule: "mapping length", frame: -1, message: `${where} is not as long as its runs` });
      for (const run of mapping.runs) {
        if (runs.some((other) => meet(run.physical, run.lengthBytes, other.physical, other.lengthBytes)))
          broken.push({ rule: "mapping alias", frame: -1, message: `${where} shares physical bytes` });
        runs.push(run);
        if (
          mapping.block === undefined &&
          this.zones.some((zone) => meet(zone.base, zone.size, run.physical, run.lengthBytes))
        )
          broken.push({ rule: "mapping zone", frame: -1, message: `${where} reaches into a zone` });
      }
    }
    return broken;
  }
}

/** The physical runs of a block's pieces, whole frames, neighbours that touch joined. */
export function runsOf(pieces: readonly Piece[]): Run[] {
  return joined(
    pieces.map(({ zone, start, count }) => ({
      physical: zone.base + start * zone.frameSize,
      lengthBytes: count * zone.frameSize,
    })),
  );
}
