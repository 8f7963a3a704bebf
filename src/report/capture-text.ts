/** What was read of a capture, in words: its kind, and what was converted, mended or skipped. */
import type { CaptureSummary, Mended, Skipped } from "../capture/index.js";
import { bytesText, counted, grouped } from "./units.js";

/** In words, for a count of one and of several. */
const MENDED: Readonly<Record<Mended, string>> = {
  "stamp-before-predecessor": "stamp before its predecessor's, moved to it",
  "clock-set-back": "clock set back, counted on from there",
  "gap-shortened": "gap above a day, shortened to one",
  "fraction-carried": "fraction above a second, carried over",
  "original-length-raised": "frame longer than its original length, which was raised",
  "check-bytes-removed": "frame with check bytes, removed",
  "block-length-differs": "block with two different lengths, read by the first",
};
const SKIPPED: Readonly<Record<Skipped, string>> = {
  "cut-record": "record cut by the end of the file",
  "damaged-bytes": "stretch of damaged bytes",
  "empty-record": "record of zeros",
  "unknown-interface": "block of an interface that is not described",
  "short-block": "block too short for what it must hold",
  "no-ethernet-equivalent": "frame without an equivalent in Ethernet",
  "other-link-type": "frame of another link type",
  "gzip-damaged": "damaged or cut gzip stream, read up to there",
};

/** `pcapng in gzip, raw IP converted to Ethernet`: one line. */
export function captureKind({ format, compressed, linkTypes }: CaptureSummary): string {
  const others = linkTypes
    .filter(({ played }) => played !== "ethernet")
    .map(({ name, played }) => (played === "converted" ? `${name} converted to Ethernet` : `${name} as it is`));
  return [`${format}${compressed ? " in gzip" : ""}`, ...others].join(", ");
}

/** `mended   3  stamp before ...`: a count and its words for each kind that occurred. */
export function captureRemarks(summary: CaptureSummary): { verb: "mended" | "skipped"; count: number; text: string }[] {
  return [
    ...Object.entries(summary.mended).map(([kind, count]) => ({
      verb: "mended" as const,
      count,
      text: MENDED[kind as Mended],
    })),
    ...Object.entries(summary.skipped).map(([kind, count]) => ({
      verb: "skipped" as const,
      count,
      text: SKIPPED[kind as Skipped],
    })),
  ];
}

/** One line on what was mended and skipped; empty when nothing was. */
export function captureLine(summary: CaptureSummary): string {
  const remarks = captureRemarks(summary).map(({ verb, count, text }) => `${verb} ${grouped(count)} (${text})`);
  if (summary.skippedBytes > 0) remarks.push(`${bytesText(summary.skippedBytes)} unread`);
  if (summary.cutFrames > 0) remarks.push(`${counted(summary.cutFrames, "frame")} recorded in part`);
  return remarks.join("; ");
}
