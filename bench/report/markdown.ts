/** Results as Markdown tables, for docs/performance.md: one row for each workload, one column for each subject. */
import { describeMachine, type Results } from "../run/index.js";
import { arenaRatios, bytesText, failureText, figure, frameUse, groupsOf, PLACES, ratioTo } from "./text.js";

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** All of it. Each figure of a subject is followed by its ratio to `baseline`. */
export function markdownReport(results: Results, baseline: string): string {
  const parts = [`${describeMachine(results.machine)}; \`${results.command}\``];
  for (const where of ["wasm", "js"] as const) {
    const groups = groupsOf(results.rows, where).filter((group) => group.some((row) => row.allocations > 0));
    if (groups.length === 0) continue;
    const subjects = [...new Set(groups.flat().map((row) => row.subject))];
    const rows = groups.map((group) => {
      const reference = group.find((row) => row.subject === baseline);
      const cells = subjects.map((subject) => {
        const row = group.find((one) => one.subject === subject);
        if (row === undefined) return "";
        const ratio = row === reference ? "" : ` (${ratioTo(reference, row)})`;
        const failures = failureText(row);
        return `${figure(row.nsPerOp.median)}${reference === undefined ? "" : ratio}${failures === "" ? "" : `, ${failures}`}`;
      });
      return [group[0]?.workload ?? "", ...cells];
    });
    parts.push(`${PLACES[where]}, ns per operation (ratio to ${baseline})`, table(["", ...subjects], rows));
  }
  const probes = results.rows.filter((row) => row.allocations === 0);
  if (probes.length > 0) {
    const rows = probes.map((row) => [row.workload, row.subject, figure(row.nsPerOp.median), figure(row.nsPerOp.min)]);
    parts.push(table(["", "", "median ns", "least ns"], rows));
  }
  if (results.tails.length > 0) {
    const rows = results.tails.map((tail) => [
      tail.workload,
      tail.subject,
      ...[tail.p50, tail.p99, tail.p999, tail.max].map(figure),
    ]);
    parts.push("slowest single operations, ns", table(["", "", "p50", "p99", "p99.9", "max"], rows));
  }
  if (results.spaces.length > 0) {
    const rows = results.spaces.map((space) => [
      space.workload,
      space.subject,
      bytesText(space.peakPayloadBytes),
      space.leastArenaBytes === undefined ? "" : bytesText(space.leastArenaBytes),
      frameUse(space)?.toFixed(1) ?? "",
    ]);
    parts.push(table(["recording", "subject", "peak payload", "least arena", "% of what frames allow"], rows));
    const ratios = [...arenaRatios(results.spaces)].map(([subject, ratio]) => [subject, ratio.toFixed(3)]);
    parts.push(table(["least arena over the best's", "geometric mean"], ratios));
  }
  return `${parts.join("\n\n")}\n`;
}
