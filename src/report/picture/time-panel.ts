/**
 * The upper half of the picture: live memory, pending requests and traffic, one above the other over one time axis.
 *
 * Memory is a step function, drawn as such: it holds from one sample to the next. Its scale ends above the highest peak,
 * or at the arena's size where that is near, and then the limit is drawn. The traffic panel shows, for every three pixels,
 * the bytes that arrived there over the true length of that stretch; its scale is logarithmic, for a ping is a
 * ten-thousandth of a burst. Each silence of a second or more on the wire is hatched and named.
 */
import type { MemorySample, RunHistory } from "../history.js";
import type { RunReport } from "../run-report.js";
import { bytesText, durationText, grouped, threeDigits } from "../units.js";
import type { Panel } from "./panel.js";
import { element, polyline, text } from "./svg.js";
import { TimeAxis } from "./time-axis.js";

const LEFT = 66;
const RIGHT = 18;
const MEMORY_TOP = 26;
const MEMORY_HEIGHT = 190;
const PENDING_HEIGHT = 10;
const TRAFFIC_HEIGHT = 92;
const GAP = 22;
const SILENCE_NS = 1_000_000_000;
const BIN_PIXELS = 3;
const DROP_PIXELS = 8;
const LOWEST_RATE = 1e4;

interface Plot {
  readonly axis: TimeAxis;
  readonly left: number;
  readonly right: number;
  readonly silences: readonly Silence[];
}

export function timePanel(report: RunReport, history: RunHistory, width: number): Panel {
  const left = LEFT;
  const right = width - RIGHT;
  const moments = [
    ...history.memory.map((sample) => sample.timeNs),
    ...history.traffic.map((sample) => sample.timeNs),
    ...history.markers.map((marker) => marker.timeNs),
  ];
  const axis = new TimeAxis(moments, left, right);
  const plot: Plot = { axis, left, right, silences: silencesOf(axis, history) };
  const memoryBottom = MEMORY_TOP + MEMORY_HEIGHT;
  const pendingTop = memoryBottom + 5;
  const trafficTop = pendingTop + PENDING_HEIGHT + GAP;
  const trafficBottom = trafficTop + TRAFFIC_HEIGHT;
  const parts = [
    text(0, 14, "Memory held by the driver", { class: "head ink" }),
    text(right, 10, "time is stretched where things happen: each gap is drawn at the logarithm of its length", {
      class: "soft small",
      "text-anchor": "end",
    }),
    silences(plot, trafficTop, trafficBottom),
    memory(plot, report, history, MEMORY_TOP, memoryBottom),
    pending(plot, history.memory, pendingTop),
    traffic(plot, history, trafficTop, trafficBottom),
    events(plot, history, MEMORY_TOP, pendingTop, trafficTop, trafficBottom),
    timeTicks(plot, trafficBottom),
  ];
  return { svg: parts.join(""), height: trafficBottom + 34 };
}

/** A stretch of the wire without a frame. */
interface Silence {
  readonly fromNs: number;
  readonly toNs: number;
  readonly left: number;
  readonly right: number;
}

/** Gaps of a second or more between frames, and from the last frame to the end. */
function silencesOf(axis: TimeAxis, history: RunHistory): Silence[] {
  const times = history.traffic.map((sample) => sample.timeNs);
  const end = history.markers.at(-1)?.timeNs;
  if (end !== undefined) times.push(end);
  const found: Silence[] = [];
  for (let index = 1; index < times.length; index += 1) {
    const fromNs = times[index - 1] as number;
    const toNs = times[index] as number;
    if (toNs - fromNs < SILENCE_NS) continue;
    found.push({ fromNs, toNs, left: axis.placeOf(fromNs), right: axis.placeOf(toNs) });
  }
  return found;
}

/** Hatched bands in the traffic, each with its length: beside it where there is room, upright otherwise. */
function silences(plot: Plot, top: number, bottom: number): string {
  const hatch = element(
    "pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    element("path", { class: "hatch", d: "M0 0V6", "stroke-width": 1.4 }),
  );
  const middleY = (top + bottom) / 2;
  let labelled = Number.NEGATIVE_INFINITY;
  const drawn = plot.silences.map(({ fromNs, toNs, left, right }) => {
    const x = (left + right) / 2;
    const label = `${durationText(toNs - fromNs)} silent`;
    const band = element("rect", { x: left, y: top, width: right - left, height: bottom - top, fill: "url(#hatch)" });
    if (right - left >= 78) {
      labelled = right;
      return band + text(x, middleY, label, { class: "ink small", "text-anchor": "middle" });
    }
    if (x - labelled < 14) return band;
    labelled = x;
    const turned = {
      class: "ink small",
      "text-anchor": "middle",
      transform: `rotate(-90 ${Math.round(x)} ${middleY})`,
    };
    return band + text(Math.round(x), middleY + 4, label, turned);
  });
  return element("defs", {}, hatch) + drawn.join("");
}

/** The area, its grid, the arena's limit where near, and the highest point between silences. */
function memory(plot: Plot, report: RunReport, history: RunHistory, top: number, bottom: number): string {
  const peak = history.memory.reduce((most, sample) => Math.max(most, sample.liveBytes), 0);
  const arenaBytes = report.memory.arenaBytes;
  const nearLimit = arenaBytes <= 1.7 * peak;
  const { ceiling, step } = scale(nearLimit ? arenaBytes * 1.04 : peak * 1.18);
  const y = (bytes: number): number => bottom - ((bottom - top) * bytes) / ceiling;
  const parts: string[] = [];
  for (let bytes = 0; bytes <= ceiling; bytes += step) {
    parts.push(
      element("path", {
        class: "rule",
        d: polyline([
          [plot.left, y(bytes)],
          [plot.right, y(bytes)],
        ]),
      }),
      text(plot.left - 8, y(bytes) + 4, bytesText(bytes), { class: "soft small", "text-anchor": "end" }),
    );
  }
  const steps = stairs(plot, history.memory);
  const first = steps[0];
  const last = steps.at(-1);
  if (first !== undefined && last !== undefined) {
    const curve = steps.map(([x, bytes]) => [x, y(bytes)] as const);
    parts.push(
      element("path", { class: "live", d: `${polyline([[first[0], bottom], ...curve, [last[0], bottom]])}Z` }),
      element("path", { class: "edge", d: polyline(curve), "stroke-width": 1.5, "stroke-linejoin": "round" }),
    );
  }
  if (nearLimit) {
    const at = y(arenaBytes);
    parts.push(
      element("path", {
        class: "limit",
        d: polyline([
          [plot.left, at],
          [plot.right, at],
        ]),
        "stroke-dasharray": "6 4",
      }),
      text(plot.left + 6, at - 4, `arena ${bytesText(arenaBytes)}`, { class: "limitink small" }),
    );
  }
  for (const sample of peaks(plot, history.memory)) {
    const x = plot.axis.placeOf(sample.timeNs);
    const anchor = x < plot.left + 60 ? "start" : x > plot.right - 60 ? "end" : "middle";
    parts.push(
      element("circle", { class: "page", cx: x, cy: y(sample.liveBytes), r: 4 }),
      element("circle", { class: "edge", cx: x, cy: y(sample.liveBytes), r: 3.5, "stroke-width": 1.5 }),
      text(
        x,
        y(sample.liveBytes) - top < 26 ? y(sample.liveBytes) + 18 : y(sample.liveBytes) - 9,
        `${sample.liveBytes === peak ? "peak " : ""}${bytesText(sample.liveBytes)}`,
        {
          class: "ink small",
          "text-anchor": anchor,
        },
      ),
    );
  }
  parts.push(
    element("path", {
      class: "frame",
      d: polyline([
        [plot.left, top],
        [plot.left, bottom],
        [plot.right, bottom],
      ]),
    }),
  );
  return parts.join("");
}

/** Corners of the step function: [place, bytes]. Several samples at one place leave their first, extreme and last. */
function stairs(plot: Plot, samples: readonly MemorySample[]): [number, number][] {
  const corners: [number, number][] = [];
  let level = samples[0]?.liveBytes ?? 0;
  for (const sample of samples) {
    const x = plot.axis.placeOf(sample.timeNs);
    corners.push([x, level], [x, sample.liveBytes]);
    level = sample.liveBytes;
  }
  if (corners.length > 0) corners.push([plot.right, level]);
  return corners;
}

/** The highest sample of each stretch between silences, the highest of all first; none within 80 pixels of a higher one. */
function peaks(plot: Plot, samples: readonly MemorySample[]): MemorySample[] {
  const ends = [...plot.silences.map((silence) => silence.toNs), Number.POSITIVE_INFINITY];
  const best: MemorySample[] = [];
  let index = 0;
  for (const end of ends) {
    let highest: MemorySample | undefined;
    let lowest = Number.POSITIVE_INFINITY;
    for (; index < samples.length && (samples[index] as MemorySample).timeNs < end; index += 1) {
      const sample = samples[index] as MemorySample;
      if (sample.liveBytes > 0) lowest = Math.min(lowest, sample.liveBytes);
      if (highest === undefined || sample.liveBytes > highest.liveBytes) highest = sample;
    }
    if (highest !== undefined && highest.liveBytes > lowest) best.push(highest);
  }
  const chosen: MemorySample[] = [];
  for (const sample of best.sort((left, right) => right.liveBytes - left.liveBytes || left.timeNs - right.timeNs)) {
    const x = plot.axis.placeOf(sample.timeNs);
    if (chosen.every((other) => Math.abs(plot.axis.placeOf(other.timeNs) - x) >= 80)) chosen.push(sample);
  }
  return chosen;
}

/** A strip that is filled while a request waits; the more of them, the darker. */
function pending(plot: Plot, samples: readonly MemorySample[], top: number): string {
  const most = samples.reduce((count, sample) => Math.max(count, sample.pending), 0);
  const bars: string[] = [];
  for (let index = 0; index < samples.length; index += 1) {
    const sample = samples[index] as MemorySample;
    if (sample.pending === 0) continue;
    const x = plot.axis.placeOf(sample.timeNs);
    const next = samples[index + 1];
    const end = next === undefined ? plot.right : plot.axis.placeOf(next.timeNs);
    bars.push(
      element("rect", {
        class: "wait",
        x,
        y: top,
        width: Math.max(0.5, end - x),
        height: PENDING_HEIGHT,
        "fill-opacity": 0.35 + (0.65 * sample.pending) / most,
      }),
    );
  }
  return (
    text(plot.left - 8, top + PENDING_HEIGHT - 1, most > 1 ? `pending (${most})` : "pending", {
      class: "soft small",
      "text-anchor": "end",
    }) + bars.join("")
  );
}

/** Bits per second in stretches of a few pixels, on a logarithmic scale. */
function traffic(plot: Plot, history: RunHistory, top: number, bottom: number): string {
  const bins = new Map<number, number>();
  for (const sample of history.traffic) {
    const bin = Math.floor((plot.axis.placeOf(sample.timeNs) - plot.left) / BIN_PIXELS);
    bins.set(bin, (bins.get(bin) ?? 0) + sample.bytes);
  }
  const rates = [...bins].map(([bin, bytes]) => {
    const from = plot.axis.timeAt(plot.left + bin * BIN_PIXELS);
    const to = plot.axis.timeAt(plot.left + (bin + 1) * BIN_PIXELS);
    // A bin shorter than the wire needs for its own bytes at 10 Gbit/s says nothing about the rate.
    return { bin, rate: (bytes * 8e9) / Math.max(to - from, bytes * 0.8) };
  });
  const highest = rates.reduce((most, { rate }) => Math.max(most, rate), LOWEST_RATE * 10);
  const decades = Math.ceil(Math.log10(highest / LOWEST_RATE) - 1e-9);
  const y = (rate: number): number =>
    bottom - ((bottom - top) * Math.max(0.15, Math.log10(Math.max(rate, 1) / LOWEST_RATE))) / decades;
  const parts: string[] = [];
  for (let decade = 0; decade <= decades; decade += 1) {
    const rate = LOWEST_RATE * 10 ** decade;
    const at = bottom - ((bottom - top) * decade) / decades;
    parts.push(
      element("path", {
        class: "rule",
        d: polyline([
          [plot.left, at],
          [plot.right, at],
        ]),
      }),
      text(plot.left - 8, at + 4, rateText(rate), { class: "soft small", "text-anchor": "end" }),
    );
  }
  for (const { bin, rate } of rates.sort((one, other) => one.bin - other.bin)) {
    const x = plot.left + bin * BIN_PIXELS;
    parts.push(element("rect", { class: "rate", x, y: y(rate), width: BIN_PIXELS - 0.6, height: bottom - y(rate) }));
  }
  parts.push(
    element("path", {
      class: "frame",
      d: polyline([
        [plot.left, top],
        [plot.left, bottom],
        [plot.right, bottom],
      ]),
    }),
  );
  return parts.join("");
}

function rateText(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1e9) return `${threeDigits(bitsPerSecond / 1e9)} Gbit/s`;
  if (bitsPerSecond >= 1e6) return `${threeDigits(bitsPerSecond / 1e6)} Mbit/s`;
  return `${threeDigits(bitsPerSecond / 1e3)} kbit/s`;
}

/** Drops as triangles on the traffic, failed allocations and violations as lines through the memory, the halt as a line. */
function events(
  plot: Plot,
  history: RunHistory,
  top: number,
  stripTop: number,
  trafficTop: number,
  bottom: number,
): string {
  const parts: string[] = [];
  const drops = new Map<number, Drops>();
  let firstFailure = true;
  for (const marker of history.markers) {
    const x = plot.axis.placeOf(marker.timeNs);
    if (marker.kind === "drop") {
      const bin = Math.round(x / DROP_PIXELS);
      const entry = drops.get(bin) ?? { count: 0, reasons: new Set<string>() };
      entry.count += 1;
      entry.reasons.add(marker.label);
      drops.set(bin, entry);
    } else if (marker.kind === "allocation-failed" || marker.kind === "violation") {
      const from = marker.kind === "violation" ? top : stripTop - (firstFailure ? 22 : 5);
      const line = [
        [x, from],
        [x, stripTop + PENDING_HEIGHT],
      ] as const;
      parts.push(element("path", { class: "badline", d: polyline(line), "stroke-width": 1.2 }));
      if (firstFailure) {
        const anchor = x > plot.right - 180 ? "end" : "start";
        const beside = anchor === "end" ? x - 4 : x + 4;
        parts.push(text(beside, stripTop - 13, marker.label, { class: "bad small", "text-anchor": anchor }));
        firstFailure = false;
      }
    } else if (marker.kind === "halt") {
      parts.push(
        element("path", {
          class: "mark",
          d: polyline([
            [x, top],
            [x, bottom],
          ]),
          "stroke-dasharray": "2 3",
        }),
        text(x, top - 5, "halt", { class: "soft small", "text-anchor": "middle" }),
      );
    }
  }
  for (const [bin, { count }] of drops) {
    const x = bin * DROP_PIXELS;
    const size = Math.min(7, 3 + Math.log2(count));
    const top = trafficTop - 14;
    parts.push(
      element("path", { class: "bad", d: `M${x - size} ${top}L${x + size} ${top}L${x} ${top + size * 1.5}Z` }),
    );
  }
  parts.push(dropLabels(plot, drops, trafficTop - 7));
  return parts.join("");
}

interface Drops {
  count: number;
  readonly reasons: Set<string>;
}

/** One label for each cluster of drops, behind it or before it, where no other cluster and no other label is. */
function dropLabels(plot: Plot, drops: ReadonlyMap<number, Drops>, y: number): string {
  const clusters: { from: number; to: number; count: number; reasons: Set<string> }[] = [];
  for (const [bin, { count, reasons }] of [...drops].sort(([one], [other]) => one - other)) {
    const x = bin * DROP_PIXELS;
    const last = clusters.at(-1);
    if (last !== undefined && x - last.to <= 60) {
      last.to = x;
      last.count += count;
      for (const reason of reasons) last.reasons.add(reason);
    } else {
      clusters.push({ from: x, to: x, count, reasons: new Set(reasons) });
    }
  }
  let taken = plot.left;
  const labels = clusters.map(({ from, to, count, reasons }, index) => {
    const label = `${grouped(count)} dropped: ${[...reasons].sort().join(", ")}`;
    const width = label.length * 6.4 + 24;
    const next = clusters[index + 1]?.from ?? plot.right;
    const before = from - taken >= width;
    const after = next - to >= width;
    taken = after ? to + width : to;
    if (!before && !after) return "";
    return text(after ? to + 12 : from - 12, y, label, { class: "bad small", "text-anchor": after ? "start" : "end" });
  });
  return labels.join("");
}

/** Moments under the plot, as round as fits. */
function timeTicks(plot: Plot, bottom: number): string {
  const parts: string[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (let x = plot.left; x <= plot.right - 20; x += 4) {
    if (x - last < 72) continue;
    const tick = roundMoment(plot, x);
    if (tick === undefined || tick.place - last < 72) continue;
    last = tick.place;
    parts.push(
      element("path", {
        class: "frame",
        d: polyline([
          [tick.place, bottom],
          [tick.place, bottom + 5],
        ]),
      }),
      text(tick.place, bottom + 18, tick.label, { class: "soft small", "text-anchor": "middle" }),
    );
  }
  return parts.join("");
}

/** The roundest moment within a few pixels of a place. */
function roundMoment(plot: Plot, place: number): { place: number; label: string } | undefined {
  const ideal = plot.axis.timeAt(place);
  for (let digits = 0; digits <= 6; digits += 1) {
    const step = 10 ** (9 - digits);
    const timeNs = Math.round(ideal / step) * step;
    const at = plot.axis.placeOf(timeNs);
    if (Math.abs(at - place) <= 3 && at >= plot.left && at <= plot.right) {
      return { place: at, label: `${(timeNs / 1e9).toFixed(digits)} s` };
    }
  }
  return undefined;
}

/** A ceiling at or above `bytes` and a step of a power of two that divides it into four to eight. */
function scale(bytes: number): { ceiling: number; step: number } {
  let step = 1024;
  while (bytes / step > 8) step *= 2;
  return { ceiling: Math.max(step, Math.ceil(bytes / step) * step), step };
}
