/** Tally: counts what is read, mended and skipped while a capture is read. */
import type { CaptureSummary, LinkTypeCount, Mended, Skipped } from "./frame.js";
import { linkTypeName } from "./link-types.js";

export class Tally {
  readonly #refuse: (kind: Mended | Skipped) => void;
  format: CaptureSummary["format"] = "pcap";
  compressed = false;
  frames = 0;
  totalBytes = 0;
  cutFrames = 0;
  durationNs = 0;
  skippedBytes = 0;
  readonly #mended = new Map<Mended, number>();
  readonly #skipped = new Map<Skipped, number>();
  readonly #links = new Map<number, { frames: number; played: LinkTypeCount["played"] }>();

  /** `refuse` is called before each count, and throws where nothing may be mended or skipped. */
  constructor(refuse: (kind: Mended | Skipped) => void) {
    this.#refuse = refuse;
  }

  mend(kind: Mended): void {
    this.#refuse(kind);
    this.#mended.set(kind, (this.#mended.get(kind) ?? 0) + 1);
  }

  /** `bytes`: how many of the file belong to it, where it is damage. */
  skip(kind: Skipped, bytes = 0): void {
    this.#refuse(kind);
    this.#skipped.set(kind, (this.#skipped.get(kind) ?? 0) + 1);
    this.skippedBytes += bytes;
  }

  link(linkType: number, played: LinkTypeCount["played"]): void {
    const known = this.#links.get(linkType);
    if (known === undefined) this.#links.set(linkType, { frames: 1, played });
    else known.frames += 1;
  }

  summary(): CaptureSummary {
    const { format, compressed, frames, totalBytes, cutFrames, durationNs, skippedBytes } = this;
    const linkTypes = [...this.#links]
      .sort(([left], [right]) => left - right)
      .map(([linkType, count]) => ({ linkType, name: linkTypeName(linkType), ...count }));
    return {
      format,
      compressed,
      frames,
      totalBytes,
      cutFrames,
      durationNs,
      linkTypes,
      mended: inOrder(this.#mended),
      skipped: inOrder(this.#skipped),
      skippedBytes,
    };
  }
}

function inOrder<K extends string>(counts: ReadonlyMap<K, number>): Partial<Record<K, number>> {
  return Object.fromEntries([...counts].sort(([left], [right]) => (left < right ? -1 : 1))) as Partial<
    Record<K, number>
  >;
}
