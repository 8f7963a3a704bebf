/** Results as one page that needs nothing else: no network, no script. */
import { describeMachine, type Results, type Row } from "../run/index.js";
import { barChart, type Colours, escapeXml, memoryChart, tailChart } from "./charts.js";
import {
  arenaRatios,
  bytesText,
  failureText,
  figure,
  frameUse,
  groupsOf,
  PLACES,
  ratioTo,
  wrongLines,
} from "./text.js";

/** Okabe and Ito's colours, told apart by almost everybody; the first is ours. */
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8d7f00", "#767676"] as const;

function style(): string {
  const colours = PALETTE.map(
    (colour, i) =>
      `.s${i}{fill:${colour}}.l${i}{stroke:${colour}}.t${i}{fill:color-mix(in srgb,${colour} 80%,var(--ink))}`,
  ).join("");
  return `
:root{--ink:#1c1c1c;--soft:#5f5f5f;--line:#c9c9c9;--grid:#e8e8e8;--paper:#fff;--area:#dfe7ec;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--soft:#a5a5a5;--line:#555;--grid:#333;--paper:#161616;--area:#26323a}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1180px;margin:2rem auto;padding:0 1rem}
figure{margin:0}h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}p{max-width:46rem}.soft{color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:1.2rem 2rem}
.wide{grid-template-columns:repeat(auto-fill,minmax(min(520px,100%),1fr))}
svg{width:100%;height:auto;font:11.5px system-ui,sans-serif;fill:var(--ink)}
.head{font-weight:600;font-size:13px}.label{fill:var(--soft)}.value{font-size:11px;font-variant-numeric:tabular-nums}
.axis{stroke:var(--line);fill:none}.grid{stroke:var(--grid);fill:none}.whisker{stroke:var(--ink);stroke-width:1.5;opacity:.65}
.cut{stroke:var(--paper);stroke-width:2.5;fill:none}.line{fill:none;stroke-width:1.8}.held{stroke-dasharray:3 3;stroke-width:1.2}
.area{fill:var(--area)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.15rem .7rem;text-align:right;border-bottom:1px solid var(--grid)}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}.scroll{overflow-x:auto}code{font-size:.92em;overflow-wrap:anywhere}
.warn{border-left:4px solid #d55e00;padding:.2rem 1rem}
${colours}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table>${line(head, "th")}\n${rows.map((row) => line(row, "td")).join("\n")}</table></div>`;
}

function rowCells(row: Row, group: readonly Row[], baseline: string): readonly string[] {
  const { min, median, max } = row.nsPerOp;
  const reference = group.find((one) => one.subject === baseline);
  const failures = failureText(row);
  return [row.workload, row.subject, figure(median), ratioTo(reference, row), figure(min), figure(max), failures];
}

function placeSection(results: Results, where: Row["where"], baseline: string, colours: Colours): string {
  const all = groupsOf(results.rows, where);
  if (all.length === 0) return "";
  const groups = all.filter((group) => group.some((row) => row.allocations > 0));
  const probes = all.filter((group) => !groups.includes(group));
  const head = ["workload", "subject", "ns", `of ${baseline}`, "least", "most", "failures"];
  return [
    `<h2>${escapeXml(PLACES[where])}</h2>`,
    groups.length === 0
      ? ""
      : `<p>Median nanoseconds per operation; an allocation and a free are one each. The thin line across the end of a bar is the middle half
of the samples. Factors are to ${escapeXml(baseline)}; longer bars are cut.</p>`,
    `<div class="charts">${groups.map((group) => `<figure>${barChart(group, baseline, colours)}</figure>`).join("\n")}</div>`,
    `<details><summary>figures</summary>${table(
      head,
      groups.flatMap((group) => group.map((row) => rowCells(row, group, baseline))),
    )}</details>`,
    probes.length === 0
      ? ""
      : `<h2>single costs</h2><p>Nanoseconds for one: an empty call, a translation, a completed request, an opening.</p>${table(
          ["what", "how", "ns", "least", "most", "resident"],
          probes.flat().map((row) => {
            const resident = row.residentBytes === undefined ? "" : bytesText(row.residentBytes);
            const { median, min, max } = row.nsPerOp;
            return [row.workload, row.subject, figure(median), figure(min), figure(max), resident];
          }),
        )}`,
  ].join("\n");
}

function byWorkload<T extends { readonly workload: string }>(items: readonly T[]): readonly (readonly T[])[] {
  const names = [...new Set(items.map((item) => item.workload))];
  return names.map((name) => items.filter((item) => item.workload === name));
}

function tailSection({ tails }: Results, colours: Colours): string {
  if (tails.length === 0) return "";
  const replays = tails[0]?.replays ?? 0;
  const charts = byWorkload(tails).map((group) => `<figure>${tailChart(group, colours)}</figure>`);
  return `<h2>the slowest single operations</h2>
<p>Each operation was timed alone in ${replays} replays and keeps its least time, less what a clock read costs: what remains
is slow every time it is done. Both axes are logarithmic.</p>
<div class="charts wide">${charts.join("\n")}</div>`;
}

function spaceSection({ spaces }: Results, colours: Colours): string {
  if (spaces.length === 0) return "";
  const charts = byWorkload(spaces).map((group) => `<figure>${memoryChart(group, colours)}</figure>`);
  const ratios = [...arenaRatios(spaces)].map(([subject, ratio]) => [subject, ratio.toFixed(3)]);
  const rows = spaces.map((space) => {
    const use = frameUse(space);
    const least = space.leastArenaBytes;
    return [
      space.workload,
      space.subject,
      bytesText(space.peakPayloadBytes),
      least === undefined ? "-" : bytesText(least),
      use === undefined ? "" : `${use.toFixed(1)} %`,
    ];
  });
  return `<h2>memory over recordings</h2>
<p>Grey: bytes that the program had asked for and not yet freed. Lines: from the lowest to the highest byte that a subject
has handed out so far. Dashed: the frames that ours holds.</p>
<div class="charts wide">${charts.join("\n")}</div>
<p>The least arena in which no allocation fails, over that of the best subject, geometric mean:</p>
${table(["subject", "least arena"], ratios)}
<details><summary>figures</summary>${table(["recording", "subject", "peak payload", "least arena", "frames used"], rows)}</details>`;
}

/** The page. `baseline` is the subject that factors refer to. */
export function htmlReport(results: Results, baseline: string): string {
  const subjects = [...results.rows, ...results.tails, ...results.spaces].map((one) => one.subject);
  const named = [...new Set(subjects)];
  const colours: Colours = new Map(named.map((subject, i) => [subject, i % PALETTE.length]));
  const findings = [...wrongLines(results).map((line) => line.slice(2)), ...results.disagreements]
    .map((finding) => `<li>${escapeXml(finding)}</li>`)
    .join("");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>ndis-shmem bench</title>
<style>${style()}</style></head>
<body>
<h1>ndis-shmem: allocation latency</h1>
<p>${escapeXml(describeMachine(results.machine))}<br><code>${escapeXml(results.command)}</code></p>
${findings === "" ? "" : `<div class="warn"><p>Not as it should be:</p><ul>${findings}</ul></div>`}
${placeSection(results, "wasm", baseline, colours)}
${placeSection(results, "js", baseline, colours)}
${tailSection(results, colours)}
${spaceSection(results, colours)}
<p class="soft">Sink ${results.sink}: it depends on everything that was done.</p>
</body>
</html>
`;
}
