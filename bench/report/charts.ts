/**
 * Charts as SVG text: bars for each workload, tails, memory over a recording.
 *
 * Each takes results and nothing else, has a fixed size in its own units, names its axes and carries a title for those
 * who cannot see it. Colours are set by the page: `s0`, `s1`, ... for the subjects in their order.
 */
import type { Space, Tail } from "../measurements/index.js";
import type { Row } from "../run/index.js";
import { bytesText, figure } from "./text.js";

/** Which colour a subject has. */
export type Colours = ReadonlyMap<string, number>;

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

const round = (value: number): string => String(Math.round(value * 10) / 10);

function text(x: number, y: number, content: string, kind = "", anchor = "start"): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">`,
    `<title>${escapeXml(title)}</title>`,
    ...parts,
    "</svg>",
  ].join("\n");
}

const BAR_WIDTH = 340;
const BAR_LEFT = 108;
const BAR_RIGHT = 58;
const BAR_STEP = 19;
/** Bars of subjects slower than so many times the baseline are cut, or nobody would see the others. */
const CUT_AT = 1.5;

/** One workload: a bar for each subject, its middle half as a whisker. */
export function barChart(group: readonly Row[], baseline: string, colours: Colours): string {
  const reference = group.find((row) => row.subject === baseline) ?? (group[0] as Row);
  const { workload } = reference;
  const most = Math.max(...group.map((row) => Math.min(row.nsPerOp.median, CUT_AT * reference.nsPerOp.median)));
  const scale = (BAR_WIDTH - BAR_LEFT - BAR_RIGHT) / most;
  const height = 24 + group.length * BAR_STEP;
  const parts = [text(0, 12, workload, "head")];
  for (const [i, row] of group.entries()) {
    const { median, lowerQuartile, upperQuartile } = row.nsPerOp;
    const y = 22 + i * BAR_STEP;
    const isCut = median > most;
    const end = BAR_LEFT + Math.min(median, most) * scale;
    let labelAt = end;
    parts.push(text(BAR_LEFT - 6, y + 11, row.subject, "label", "end"));
    parts.push(
      `<rect x="${BAR_LEFT}" y="${y}" width="${round(end - BAR_LEFT)}" height="14" rx="1.5" class="s${colours.get(row.subject)}"/>`,
    );
    if (isCut) parts.push(`<path d="M${round(end - 10)} ${y - 1}l5 16m3 -16l5 16" class="cut"/>`);
    else {
      const from = BAR_LEFT + Math.min(lowerQuartile, most) * scale;
      const to = BAR_LEFT + Math.min(upperQuartile, most) * scale;
      parts.push(`<path d="M${round(from)} ${y + 7}H${round(to)}" class="whisker"/>`);
      labelAt = Math.max(end, to);
    }
    const factor = row === reference ? "" : ` ${(median / reference.nsPerOp.median).toFixed(2)}×`;
    parts.push(text(labelAt + 4, y + 11, `${figure(median)}${factor}`, "value"));
  }
  const said = group.map((row) => `${row.subject} ${figure(row.nsPerOp.median)} ns`).join(", ");
  return svg(BAR_WIDTH + 30, height, `${workload}: ${said}`, parts);
}

const PLOT = { width: 560, height: 300, left: 54, right: 110, top: 26, bottom: 40 } as const;
const PLOT_RIGHT = PLOT.width - PLOT.right;
const PLOT_BOTTOM = PLOT.height - PLOT.bottom;

function frame(title: string, xName: string): string[] {
  return [
    text(0, 14, title, "head"),
    `<path d="M${PLOT.left} ${PLOT.top}V${PLOT_BOTTOM}H${PLOT_RIGHT}" class="axis"/>`,
    text((PLOT.left + PLOT_RIGHT) / 2, PLOT.height - 4, xName, "label", "middle"),
  ];
}

/** Names at the ends of lines, moved apart where they would overlap. */
function endLabels(ends: readonly { readonly y: number; readonly name: string; readonly kind: string }[]): string[] {
  let last = Number.NEGATIVE_INFINITY;
  return [...ends]
    .sort((a, b) => a.y - b.y)
    .map(({ y, name, kind }) => {
      last = Math.max(y, last + 13);
      return text(PLOT_RIGHT + 6, last + 4, name, `value ${kind}`);
    });
}

/** How many operations are slower than what: both axes logarithmic. */
export function tailChart(tails: readonly Tail[], colours: Colours): string {
  const workload = tails[0]?.workload ?? "";
  const points = tails.flatMap((tail) => tail.curve);
  const least = Math.min(...points.map(([share]) => share));
  const highest = Math.max(...points.map(([, ns]) => ns));
  const low = 10;
  const x = (share: number): number => PLOT.left + ((PLOT_RIGHT - PLOT.left) * Math.log10(share)) / Math.log10(least);
  const y = (ns: number): number =>
    PLOT_BOTTOM - ((PLOT_BOTTOM - PLOT.top) * Math.log10(Math.max(ns, low) / low)) / Math.log10(highest / low);
  const parts = frame(`${workload}: the slowest operations, ns`, "share of the operations that are slower");
  for (let decade = 0; 10 ** -decade >= least; decade += 1) {
    const at = x(10 ** -decade);
    parts.push(`<path d="M${round(at)} ${PLOT.top}V${PLOT_BOTTOM}" class="grid"/>`);
    const label = decade <= 1 ? `${100 / 10 ** decade} %` : `${(100 / 10 ** decade).toFixed(decade - 2)} %`;
    parts.push(text(at, PLOT_BOTTOM + 14, label, "value", "middle"));
  }
  for (const ns of [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000].filter((one) => one <= highest)) {
    parts.push(`<path d="M${PLOT.left} ${round(y(ns))}H${PLOT_RIGHT}" class="grid"/>`);
    parts.push(text(PLOT.left - 6, y(ns) + 4, String(ns), "value", "end"));
  }
  const ends = tails.map(({ subject, curve }) => {
    const line = curve.map(([share, ns], i) => `${i === 0 ? "M" : "L"}${round(x(share))} ${round(y(ns))}`).join("");
    parts.push(`<path d="${line}" class="line l${colours.get(subject)}"/>`);
    return { y: y(curve.at(-1)?.[1] ?? low), name: subject, kind: `t${colours.get(subject)}` };
  });
  parts.push(...endLabels(ends));
  const said = tails
    .map((tail) => `${tail.subject} p99.9 ${figure(tail.p999)} ns, most ${figure(tail.max)} ns`)
    .join("; ");
  return svg(PLOT.width, PLOT.height, `${workload}: ${said}`, parts);
}

/** Payload as an area, and how far each subject reaches. */
export function memoryChart(spaces: readonly Space[], colours: Colours): string {
  const drawn = spaces.filter((space) => space.curve.length > 1);
  const first = drawn[0];
  if (first === undefined) return "";
  const operations = Math.max(...drawn.flatMap((space) => space.curve.map(([at]) => at)));
  const payload = Math.max(...first.curve.map(([, bytes]) => bytes));
  const most = Math.min(
    4 * payload,
    Math.max(payload, ...drawn.flatMap((space) => space.curve.map(([, , , reach]) => reach))),
  );
  const x = (at: number): number => PLOT.left + ((PLOT_RIGHT - PLOT.left) * at) / operations;
  const y = (bytes: number): number =>
    Math.max(PLOT.top, PLOT_BOTTOM - ((PLOT_BOTTOM - PLOT.top) * bytes) / (most * 1.05));
  const path = (space: Space, value: (point: Space["curve"][0]) => number): string =>
    space.curve.map((point, i) => `${i === 0 ? "M" : "L"}${round(x(point[0]))} ${round(y(value(point)))}`).join("");
  const parts = frame(`${first.workload}: memory`, `operations, of ${operations.toLocaleString("en")}`);
  for (let i = 1; i <= 4; i += 1) {
    const bytes = (most * i) / 4;
    parts.push(`<path d="M${PLOT.left} ${round(y(bytes))}H${PLOT_RIGHT}" class="grid"/>`);
    parts.push(text(PLOT.left - 5, y(bytes) + 4, bytesText(Math.round(bytes)), "value", "end"));
  }
  const area = path(first, ([, bytes]) => bytes);
  const last = x(first.curve.at(-1)?.[0] ?? 0);
  parts.push(`<path d="${area}L${round(last)} ${PLOT_BOTTOM}L${PLOT.left} ${PLOT_BOTTOM}Z" class="area"/>`);
  const ends = [{ y: y(first.curve.at(-1)?.[1] ?? 0), name: "payload", kind: "" }];
  for (const space of drawn) {
    const kind = colours.get(space.subject);
    parts.push(`<path d="${path(space, ([, , , reach]) => reach)}" class="line l${kind}"/>`);
    if (space.peakHeldBytes !== undefined)
      parts.push(`<path d="${path(space, ([, , held]) => held)}" class="line held l${kind}"/>`);
    ends.push({ y: y(space.curve.at(-1)?.[3] ?? 0), name: space.subject, kind: `t${kind}` });
  }
  parts.push(...endLabels(ends));
  const least = drawn.map((space) => `${space.subject} reaches ${bytesText(space.curve.at(-1)?.[3] ?? 0)}`).join(", ");
  return svg(PLOT.width, PLOT.height, `${first.workload}: payload at most ${bytesText(payload)}; ${least}`, parts);
}
