/** FrameBuilder: from what a record holds to a frame that is played, or to a reason why it is not. */
import type { CaptureFrame } from "./frame.js";
import { ETHERNET, isConverted, toEthernet } from "./link-types.js";
import type { Tally } from "./tally.js";
import { Timeline } from "./timeline.js";

/** What a file says of the frames that follow. */
export interface LinkLayer {
  /** As registered at tcpdump.org: 1 is Ethernet. */
  readonly linkType: number;
  /** Check bytes at the end of each frame, 0 to 15. */
  readonly checkBytes: number;
}

/** A recorder's stamp; `ns` may be a second or more. */
export interface Stamp {
  readonly seconds: number;
  readonly ns: number;
}

export class FrameBuilder {
  readonly #tally: Tally;
  /** Of the frames that are played alone: what is skipped takes no time. */
  readonly #timeline: Timeline;
  readonly #anyLinkType: boolean;

  constructor(tally: Tally, anyLinkType: boolean) {
    this.#tally = tally;
    this.#timeline = new Timeline(tally);
    this.#anyLinkType = anyLinkType;
  }

  /** True where frames of this kind can be played. */
  plays(linkType: number): boolean {
    return linkType === ETHERNET || this.#anyLinkType || isConverted(linkType);
  }

  /**
   * The frame, counted; undefined when it is skipped, which is counted too. `stamp`: seconds and nanoseconds beyond them,
   * or null for a frame without one, which is at the time of its predecessor.
   */
  build(
    link: LinkLayer,
    stamp: Stamp | null,
    recorded: Uint8Array,
    originalLengthBytes: number,
  ): CaptureFrame | undefined {
    const { linkType, checkBytes } = link;
    if (!this.plays(linkType)) {
      this.#tally.skip("other-link-type");
      return undefined;
    }
    let original = originalLengthBytes;
    let bytes = recorded;
    if (original < bytes.length) {
      this.#tally.mend("original-length-raised");
      original = bytes.length;
    }
    // A frame that was cut short ends before its check bytes.
    if (checkBytes > 0 && original === bytes.length && bytes.length >= checkBytes) {
      this.#tally.mend("check-bytes-removed");
      original -= checkBytes;
      bytes = bytes.subarray(0, bytes.length - checkBytes);
    }
    if (linkType !== ETHERNET && isConverted(linkType)) {
      const converted = toEthernet(linkType, bytes);
      if (converted === undefined) {
        this.#tally.skip("no-ethernet-equivalent");
        return undefined;
      }
      bytes = converted.bytes;
      original += converted.grownBytes;
      this.#tally.link(linkType, "converted");
    } else {
      this.#tally.link(linkType, linkType === ETHERNET ? "ethernet" : "as-is");
    }
    const timeNs = stamp === null ? this.#timeline.previousNs : this.#timeline.at(stamp.seconds, stamp.ns);
    this.#tally.frames += 1;
    this.#tally.totalBytes += bytes.length;
    if (original > bytes.length) this.#tally.cutFrames += 1;
    this.#tally.durationNs = timeNs;
    return { timeNs, bytes, originalLengthBytes: original };
  }
}
