/**
 * The picture of a run: one SVG, self-contained, that explains what happened.
 *
 *   +--------------------------------------------------------------+
 *   | driver, capture, seed                 what came of it         |
 *   | live memory over time, with the peak of each burst            |  time-panel
 *   | requests pending                                              |
 *   | traffic, with drops                                           |
 *   | time (stretched where things happen), silences hatched        |
 *   | the arena when it was fullest, a cell per frame               |  arena-panel
 *   | legend                                                        |
 *   +--------------------------------------------------------------+
 *
 * It carries its own background, light by default and dark where the reader prefers dark, so it is readable on any page.
 * Nothing in it is fetched: no font, no script, no image. The same report and history give the same bytes.
 */
import type { RunHistory } from "../history.js";
import { isClean, type RunReport } from "../run-report.js";
import { counted, durationText, grouped } from "../units.js";
import { arenaPanel } from "./arena-panel.js";
import { element, escaped, text } from "./svg.js";
import { timePanel } from "./time-panel.js";

/** Width of the picture, in pixels. */
export const PICTURE_WIDTH = 1120;
const MARGIN = 28;

const STYLE = `
  .page { fill: #ffffff } .ink { fill: #1b1f24 } .soft { fill: #59636e } .rule { stroke: #d1d9e0 } .frame { fill: none; stroke: #8c959f }
  .live { fill: #54a3d8; fill-opacity: .45 } .edge { fill: none; stroke: #0b6aa8 } .rate { fill: #7a8490 } .wait { fill: #b36b00 }
  .bad { fill: #c62f2f } .badline { stroke: #c62f2f } .mark { stroke: #59636e } .free { fill: #f0f3f6; stroke: #d1d9e0 }
  .hatch { stroke: #c2cad2 } .good { fill: #1a7f37 } .limit { stroke: #8250df } .limitink { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9aa4af } .rule { stroke: #2b323b } .frame { stroke: #59636e }
    .live { fill: #3f8fc9 } .edge { stroke: #79c0ff } .rate { fill: #8b949e } .wait { fill: #e3a44b } .bad { fill: #ff7b72 }
    .badline { stroke: #ff7b72 } .mark { stroke: #9aa4af } .free { fill: #161b22; stroke: #2b323b } .hatch { stroke: #39424d }
    .good { fill: #56d364 } .limit { stroke: #bc8cff } .limitink { fill: #bc8cff }
  }
  text { font: 12px system-ui, "DejaVu Sans", "Segoe UI", sans-serif }
  .title { font-size: 19px; font-weight: 600 } .head { font-size: 14px; font-weight: 600 } .small { font-size: 11px }
`;

/**
 * Draw it. Returns a whole SVG document. `refused`: the status with which the driver refused to initialize, where it did.
 */
export function reportPicture(report: RunReport, history: RunHistory, refused: string | null = null): string {
  const inner = PICTURE_WIDTH - 2 * MARGIN;
  const time = timePanel(report, history, inner);
  const arena = arenaPanel(history, inner);
  const top = 92;
  const arenaTop = top + time.height + 26;
  const height = arenaTop + arena.height + MARGIN;
  const name = `ndis-shmem: ${report.driver} playing ${history.title}, seed ${report.seed}`;
  return `${element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: PICTURE_WIDTH,
      height,
      viewBox: `0 0 ${PICTURE_WIDTH} ${height}`,
      role: "img",
    },
    element("title", {}, escaped(name)),
    element("style", {}, STYLE),
    element("rect", { class: "page", width: PICTURE_WIDTH, height, rx: 8 }),
    text(MARGIN, 42, clipped(`${report.driver} playing ${history.title}`, 60), { class: "title ink" }),
    text(MARGIN, 66, summary(report), { class: "soft" }),
    text(PICTURE_WIDTH - MARGIN, 34, verdict(report, refused), {
      class: `head ${isClean(report) && refused === null ? "good" : "bad"}`,
      "text-anchor": "end",
    }),
    text(PICTURE_WIDTH - MARGIN, 52, `seed ${report.seed}, digest ${report.digest}`, {
      class: "soft small",
      "text-anchor": "end",
    }),
    element("g", { transform: `translate(${MARGIN} ${top})` }, time.svg),
    element("g", { transform: `translate(${MARGIN} ${arenaTop})` }, arena.svg),
  )}\n`;
}

function clipped(line: string, most: number): string {
  return line.length <= most ? line : `${line.slice(0, most - 1)}\u2026`;
}

function summary(report: RunReport): string {
  const { packets, requests, timing } = report;
  const reasons = Object.entries(packets.reasons).map(([reason, count]) => `${grouped(count)} ${reason}`);
  const drops = packets.dropped === 0 ? "none dropped" : `${grouped(packets.dropped)} dropped (${reasons.join(", ")})`;
  const latency = timing.completionLatency;
  const wait = latency === null ? "" : `, completed after ${durationText(latency.medianNs)} at the median`;
  return (
    `${counted(packets.offered, "frame")}: ${grouped(packets.delivered)} delivered, ${drops}. ` +
    `${counted(requests.asynchronous, "asynchronous request")}${wait}` +
    `${requests.completedNull === 0 ? "" : `, ${grouped(requests.completedNull)} with NULL`}.`
  );
}

function verdict(report: RunReport, refused: string | null): string {
  if (refused !== null && isClean(report)) return `refused to initialize: NDIS_STATUS_${refused}`;
  if (isClean(report)) return "clean: no leak, no violation, every byte right";
  const found = [
    [report.violations.length, "violation"],
    [report.leaks, "leak"],
    [report.packets.mismatched, "mismatch"],
  ] as const;
  return found
    .filter(([count]) => count > 0)
    .map(([count, noun]) => (noun === "mismatch" && count > 1 ? `${grouped(count)} mismatches` : counted(count, noun)))
    .join(", ");
}
