/**
 * Space: in how small an arena does a recording run without a failed request?
 *
 * Arenas of 1.00, 1.02, 1.04 ... times the peak payload are tried, rounded up to whole frames. The *score* is 1 plus 0.02 for
 * each of them in which a request fails, until ten in a row have none. One bisection would not do: an arena that is larger can
 * fail where a smaller one does not, so where a search ends is chaotic, while the number of failures is not.
 */
import { Core, type VirtualAddress } from "../../bindings/index.js";
import type { Player, Spool } from "./spool.js";

const STEP = 0.02;
const IN_A_ROW = 10;
/** Ten times the peak: whoever needs more is told so. */
const MOST_TRIED = 450;
const ZONE_BASE = 2 ** 32;

export interface ArenaScore {
  /** 1 plus 0.02 for each arena that was too small. */
  readonly score: number;
  /** The smallest arena tried in which nothing failed; absent where every one failed. */
  readonly leastArenaBytes?: number;
  /** Arenas that were tried. */
  readonly tried: number;
}

class Probe implements Player {
  readonly #core: Core;
  readonly #frameSize: number;
  #addresses = new Float64Array(1024);
  #bytes = new Float64Array(1024);
  failed = false;

  constructor(arenaBytes: number, frameSize: number) {
    this.#core = Core.openSync({ zones: [{ base: ZONE_BASE, size: arenaBytes }], frameSize, arena: null });
    this.#frameSize = frameSize;
  }

  allocate(slot: number, bytes: number, alignment: number): void {
    if (slot >= this.#addresses.length) this.#grow(slot);
    const address =
      alignment > this.#frameSize ? this.#core.allocate(bytes, { alignment }) : this.#core.allocate(bytes);
    this.#addresses[slot] = address;
    this.#bytes[slot] = bytes;
    if (address === 0) this.failed = true;
  }

  free(slot: number): void {
    const address = this.#addresses[slot] as number;
    if (address === 0) return;
    this.#core.free(address as VirtualAddress, this.#bytes[slot] as number);
    this.#addresses[slot] = 0;
  }

  #grow(slot: number): void {
    const double = (old: Float64Array): Float64Array<ArrayBuffer> => {
      let { length } = old;
      while (length <= slot) length *= 2;
      const more = new Float64Array(length);
      more.set(old);
      return more;
    };
    this.#addresses = double(this.#addresses);
    this.#bytes = double(this.#bytes);
  }
}

/** Try the arenas. `peakBytes`: the most payload that is live at once. */
export function arenaScore(spool: Spool, peakBytes: number, frameSize: number): ArenaScore {
  let failures = 0;
  let inARow = 0;
  let tried = 0;
  let leastArenaBytes: number | undefined;
  while (tried < MOST_TRIED && inARow < IN_A_ROW) {
    const arenaBytes = frameSize * Math.ceil((peakBytes * (1 + STEP * tried)) / frameSize);
    tried++;
    const probe = new Probe(arenaBytes, frameSize);
    spool.play(probe, () => probe.failed);
    if (probe.failed) {
      failures++;
      inARow = 0;
    } else {
      inARow++;
      leastArenaBytes ??= arenaBytes;
    }
  }
  return {
    score: (100 + 100 * STEP * failures) / 100,
    tried,
    ...(leastArenaBytes !== undefined && { leastArenaBytes }),
  };
}
