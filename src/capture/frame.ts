/** Frames of a capture, and what is told of a capture as a whole. */

/** One frame. */
export interface CaptureFrame {
  /** When it was seen, in nanoseconds after the first frame: an integer, 0 to 2^53 - 1, never less than its predecessor's. */
  readonly timeNs: number;
  /** The bytes that were recorded, as an Ethernet frame unless the link type was taken as it is. A view where one serves. */
  readonly bytes: Uint8Array;
  /** How long the frame was on the wire, in bytes. More than `bytes.length` when the recorder cut it. */
  readonly originalLengthBytes: number;
}

/** What was put right in a frame that is played all the same. */
export type Mended =
  /** A stamp up to a second before its predecessor's: moved to it. */
  | "stamp-before-predecessor"
  /** The recorder's clock was set back by more than a second: the frames that follow are counted on from there. */
  | "clock-set-back"
  /** A gap above a day: shortened to one. */
  | "gap-shortened"
  /** A fraction of a second that is a whole one or more: carried into the seconds. */
  | "fraction-carried"
  /** More bytes recorded than the frame is said to have had: the larger number is believed. */
  | "original-length-raised"
  /** Check bytes behind the frame, as the file's header announces them: removed. */
  | "check-bytes-removed"
  /** A pcapng block whose second length differs from the first: read by the first. */
  | "block-length-differs";

/** What was left out. */
export type Skipped =
  /** The file ends inside a record or block. */
  | "cut-record"
  /** Bytes that are no record, up to the next that is one or to the end of the file. */
  | "damaged-bytes"
  /** A record of zeros, its stamp included: padding. */
  | "empty-record"
  /** A packet block that names an interface which the section does not describe. */
  | "unknown-interface"
  /** A packet block too short for what it must hold. */
  | "short-block"
  /** A frame of another link type whose payload has no equivalent in Ethernet. */
  | "no-ethernet-equivalent"
  /** A frame of a link type that is neither Ethernet nor converted, in a file that has other frames. */
  | "other-link-type"
  /** The gzip stream is damaged or cut; what it gave before is read. */
  | "gzip-damaged";

/** The frames of one link type. */
export interface LinkTypeCount {
  /** As registered at tcpdump.org: 1 is Ethernet. */
  readonly linkType: number;
  /** `Ethernet`, `raw IP`, ..., or `link type 127` where there is no name. */
  readonly name: string;
  /** Frames played. */
  readonly frames: number;
  /** `ethernet`: as recorded. `converted`: an Ethernet header was made. `as-is`: played as bytes, because that was asked for. */
  readonly played: "ethernet" | "converted" | "as-is";
}

/** What was read of a capture: of all of it, once its last frame was. */
export interface CaptureSummary {
  readonly format: "pcap" | "pcapng";
  /** The file was compressed by gzip. */
  readonly compressed: boolean;
  /** Frames played. */
  readonly frames: number;
  /** Bytes of all frames, as recorded. */
  readonly totalBytes: number;
  /** Frames of which the recorder kept less than was on the wire. */
  readonly cutFrames: number;
  /** Nanoseconds from the first frame to the last. */
  readonly durationNs: number;
  /** By link type, in the order of their numbers. */
  readonly linkTypes: readonly LinkTypeCount[];
  /** What was put right, by kind; kinds that did not occur are absent. */
  readonly mended: Readonly<Partial<Record<Mended, number>>>;
  /** What was left out, by kind; kinds that did not occur are absent. Blocks of pcapng without frames are not counted. */
  readonly skipped: Readonly<Partial<Record<Skipped, number>>>;
  /** Bytes of the (unpacked) file that belong to no frame because of damage. */
  readonly skippedBytes: number;
}

/** The longest frame that is believed, in bytes: a length above is damage. tcpdump's own limit for Ethernet is 262,144. */
export const MAX_FRAME_BYTES: number = 16 * 1024 * 1024;

/**
 * The longest gap between two frames that is played as it is, in nanoseconds: a day. A machine that simulates a gap runs
 * every timer of the driver in it, 43,200 of them for the usual period of two seconds, so a file that was recorded in two
 * sittings months apart, or with a clock that was set, would otherwise take for ever.
 */
export const MAX_GAP_NS: number = 86_400_000_000_000;

/**
 * The largest step back that is taken for frames out of order, in nanoseconds: a second. Several receive queues are
 * interleaved by less; a clock that is set goes back by more.
 */
export const MAX_DISORDER_NS: number = 1_000_000_000;
