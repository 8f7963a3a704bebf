/**
 * Guard mode: memory laid out so that wild writes are found.
 *
 *     core block  |<-- frame -->|<------ whole frames ------>|<-- frame -->|
 *                 |  red zone   | block, Length bytes | tail |  red zone   |
 *     bytes       |  0x0F       | 0xCD at first       | 0x0F |  0x0F       |
 *
 * The padding is the verifier's (choice C29). It is looked at when the block is freed, when its adapter goes, by `sweep`,
 * and a few blocks at a time at every allocation. A freed block is filled with 0xDD and kept in quarantine, still live in
 * the core, until `quarantineBytes` are exceeded or memory runs out; what was written meanwhile is a write after free.
 * A damaged block is never handed out again. With `sampleEvery` N, about one block in N is guarded, chosen by the seed.
 *
 * What is live the core still knows alone: the records here say how a live core block is laid out.
 */
import { hex } from "../../addresses.js";
import { integer, type Table, table } from "../../validate/index.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { Finding } from "../records/reporter.js";
import * as bugChecks from "../verifier/bug-checks.js";
import type { ZoneBytes } from "./arena-bytes.js";

/** Options of guard mode. */
export interface GuardOptions {
  /** About one block in so many is guarded, 1 to 2^20. Default 1: all. */
  readonly sampleEvery?: number;
  /** Bytes of core blocks kept after their free, at least 0. Default 1 MiB. */
  readonly quarantineBytes?: number;
}

/** What each option of guard mode may be. */
export const GUARD_OPTIONS: Table<GuardOptions> = table<GuardOptions>("guard mode", {
  sampleEvery: integer(1, 2 ** 20, "blocks"),
  quarantineBytes: integer(0, Number.MAX_SAFE_INTEGER, "bytes"),
});

/** The verifier's documented padding. */
const PADDING = 0x0f;
/** What a freed block holds in quarantine. */
const FREED_PATTERN = 0xdd;
/** Blocks looked at when another one is allocated. */
const LOOKED_AT_BY_ALLOCATION = 16;

/** How a guarded block lies in its core block. */
export interface GuardedBlock {
  readonly adapter: AdapterRecord;
  /** Start of the block as the driver knows it. */
  readonly driverAddress: number;
  readonly physical: number;
  readonly lengthBytes: number;
  readonly coreStart: number;
  readonly coreBytes: number;
  /** Padding was found damaged and reported: not reported again. */
  damaged: boolean;
}

/** A byte that is not what it should be. */
export interface Damage {
  readonly code: "OVERRUN" | "UNDERRUN" | "WRITE_AFTER_FREE";
  /** From the start of the block: negative before it. */
  readonly offset: number;
  readonly expected: number;
  readonly found: number;
}

export class Guard {
  readonly frameSize: number;
  readonly quarantineBytes: number;
  readonly #sampleEvery: number;
  readonly #tail: boolean;
  readonly #bytes: ZoneBytes;
  readonly #byDriverAddress: Map<number, GuardedBlock> = new Map();
  readonly #byCore: Map<number, GuardedBlock> = new Map();
  #random: number;
  #cursor: IterableIterator<GuardedBlock> | null = null;

  constructor(options: GuardOptions, frameSize: number, tail: boolean, bytes: ZoneBytes, seed: number) {
    this.frameSize = frameSize;
    this.quarantineBytes = options.quarantineBytes ?? 2 ** 20;
    this.#sampleEvery = options.sampleEvery ?? 1;
    this.#tail = tail;
    this.#bytes = bytes;
    this.#random = (seed ^ 0x51ed270b) >>> 0 || 1;
  }

  /** Guarded blocks that are live. */
  get count(): number {
    return this.#byDriverAddress.size;
  }

  /** Is the next block to be guarded? Draws from the seed. */
  sample(): boolean {
    if (this.#sampleEvery === 1) return true;
    let state = this.#random;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#random = state >>> 0;
    return this.#random % this.#sampleEvery === 0;
  }

  /** Bytes of the core block for a guarded one. */
  coreBytes(lengthBytes: number): number {
    return (Math.ceil(lengthBytes / this.frameSize) + 2) * this.frameSize;
  }

  /** Lay a block out in the core block that was made for it, and write the padding. */
  layOut(adapter: AdapterRecord, coreStart: number, corePhysical: number, lengthBytes: number): GuardedBlock {
    const block: GuardedBlock = {
      adapter,
      driverAddress: coreStart + this.frameSize,
      physical: corePhysical + this.frameSize,
      lengthBytes,
      coreStart,
      coreBytes: this.coreBytes(lengthBytes),
      damaged: false,
    };
    this.#byDriverAddress.set(block.driverAddress, block);
    this.#byCore.set(coreStart, block);
    if (this.#bytes.present) {
      this.#bytes.fill(corePhysical, this.frameSize, PADDING);
      const padded = this.#padded(block);
      this.#bytes.fill(block.physical + padded, block.coreBytes - this.frameSize - padded, PADDING);
    }
    return block;
  }

  find(driverAddress: number): GuardedBlock | undefined {
    return this.#byDriverAddress.get(driverAddress);
  }

  findByCore(coreStart: number): GuardedBlock | undefined {
    return this.#byCore.get(coreStart);
  }

  /** The block leaves its driver. */
  drop(block: GuardedBlock): void {
    this.#byDriverAddress.delete(block.driverAddress);
    this.#byCore.delete(block.coreStart);
  }

  /** The first damaged byte of the padding; null where all is well. */
  inspect(block: GuardedBlock): Damage | null {
    if (!this.#bytes.present) return null;
    const before = this.#bytes.at(block.physical - this.frameSize, this.frameSize);
    if (firstOther(before, PADDING) >= 0) {
      let i = before.length - 1; // the nearest to the block is what a driver did
      while (before[i] === PADDING) i--;
      return { code: "UNDERRUN", offset: i - this.frameSize, expected: PADDING, found: before[i] as number };
    }
    const padded = this.#padded(block);
    const after = this.#bytes.at(block.physical + padded, block.coreBytes - this.frameSize - padded);
    const at = firstOther(after, PADDING);
    return at < 0 ? null : { code: "OVERRUN", offset: padded + at, expected: PADDING, found: after[at] as number };
  }

  /** Fill a freed block, so that a read after free finds nobody's data. */
  poison(block: GuardedBlock): void {
    if (this.#bytes.present) this.#bytes.fill(block.physical, block.lengthBytes, FREED_PATTERN);
  }

  /** The first byte that was written while the block was in quarantine. */
  checkPoison(block: GuardedBlock): Damage | null {
    if (!this.#bytes.present) return null;
    const bytes = this.#bytes.at(block.physical, block.lengthBytes);
    const at = firstOther(bytes, FREED_PATTERN);
    if (at < 0) return this.inspect(block);
    return { code: "WRITE_AFTER_FREE", offset: at, expected: FREED_PATTERN, found: bytes[at] as number };
  }

  /** Blocks to look at now: all, or the next few. */
  *toInspect(all: boolean): IterableIterator<GuardedBlock> {
    if (all) {
      yield* this.#byDriverAddress.values();
      return;
    }
    for (let i = Math.min(LOOKED_AT_BY_ALLOCATION, this.#byDriverAddress.size); i > 0; i--) {
      let next = this.#cursor?.next();
      if (next === undefined || next.done === true) {
        this.#cursor = this.#byDriverAddress.values();
        next = this.#cursor.next();
      }
      if (next.done !== true) yield next.value;
    }
  }

  /** Bytes from the block's start to where its padding begins: Length, or the end of its page (choice C29 off). */
  #padded(block: GuardedBlock): number {
    return this.#tail ? block.lengthBytes : Math.ceil(block.lengthBytes / this.frameSize) * this.frameSize;
  }
}

/** The first byte that is not `value`, or -1. Whole words are compared: every allocation looks at tens of thousands of bytes. */
function firstOther(bytes: Uint8Array, value: number): number {
  let i = 0;
  for (; i < bytes.length && ((bytes.byteOffset + i) & 3) !== 0; i++) if (bytes[i] !== value) return i;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + i, (bytes.length - i) >>> 2);
  const pattern = (value * 0x01010101) >>> 0;
  let same = 0;
  while (same < words.length && words[same] === pattern) same++;
  for (i += same * 4; i < bytes.length; i++) if (bytes[i] !== value) return i;
  return -1;
}

/** The finding that reports a damaged block. `moment`: where it was noticed. */
export function damageFinding(
  block: GuardedBlock,
  damage: Damage,
  call: string,
  moment: "free" | "allocation" | "sweep",
): Finding {
  const { adapter, driverAddress, lengthBytes } = block;
  const at = driverAddress + damage.offset;
  const what =
    damage.code === "WRITE_AFTER_FREE"
      ? `byte ${damage.offset} of the freed block at ${hex(driverAddress)} (${lengthBytes} bytes)`
      : damage.code === "OVERRUN"
        ? `byte ${damage.offset}, ${damage.offset - lengthBytes + 1} past the end of the block at ${hex(driverAddress)} (${lengthBytes} bytes),`
        : `byte ${damage.offset}, before the block at ${hex(driverAddress)} (${lengthBytes} bytes),`;
  const atFree = moment === "free" && damage.code !== "WRITE_AFTER_FREE";
  return {
    rule: damage.code === "WRITE_AFTER_FREE" ? "NoWriteAfterFree" : "WriteInsideBlock",
    code: damage.code,
    call,
    message: `${what} was written: 0x${damage.expected.toString(16)} became 0x${damage.found.toString(16)}`,
    basis: atFree ? "choice" : "documented",
    value: at,
    unit: "address",
    address: driverAddress,
    bugCheck: atFree
      ? bugChecks.writtenOutside(damage.code === "UNDERRUN" ? 4 : 5, driverAddress, at)
      : bugChecks.sharedMemoryCorrupt(adapter, at),
  };
}
