/** The table of `ndis-shmem run --soak N`: how many scenarios, what they met with, and how to repeat what was found. */
import { counted, durationText, grouped, percentText } from "../../report/index.js";
import type { SoakReport } from "../../run/index.js";

/** Where a failure may have struck, in words, and what the driver saw of it. */
const PLACES: readonly (readonly [keyof SoakReport["injectedAt"], string, string])[] = [
  ["registration", "registrations", "RESOURCES"],
  ["synchronous", "synchronous", "NULL"],
  ["queue", "at the queue", "FAILURE, no completion"],
  ["service", "at the service", "PENDING, then NULL"],
  ["list", "lists", "RESOURCES"],
];

/** Lines of at most 80 columns (a finding's message may be longer), ending in a line feed. */
export function soakTable(report: SoakReport, repeat: string): string {
  const { packets, requests, timing } = report;
  const row = (group: string, label: string, value: number, remark = ""): string =>
    `${group.padEnd(12)}${label.padEnd(20)}${grouped(value).padStart(18)}  ${remark}`.trimEnd();
  const lines = [
    `ndis-shmem run: ${report.driver}, ${counted(report.scenarios, "scenario")} from seed ${report.seed}`,
    "",
    row("scenarios", "clean", report.clean, percentText(report.clean, report.scenarios)),
    row("", "refused to start", report.refused, "and released everything"),
    row("", "with findings", report.scenarios - report.clean),
    row("failures", "injected", report.injected),
    ...PLACES.flatMap(([point, label, remark]) => {
      const count = report.injectedAt[point] ?? 0;
      return count === 0 ? [] : [row("", `  ${label}`, count, remark)];
    }),
    row("requests", "synchronous", requests.synchronous),
    row("", "asynchronous", requests.asynchronous),
    row("", "  FAILURE at once", requests.failedAtOnce),
    row("", "  completed, NULL", requests.completedNull),
    row("packets", "offered", packets.offered),
    row("", "delivered", packets.delivered),
    row("", "dropped", packets.dropped),
    ...Object.entries(packets.reasons).map(([reason, count]) => row("", `  ${reason}`, count)),
    row("speed", "scenarios per second", timing.scenariosPerSecond, durationText(timing.wallMs * 1e6)),
    "",
  ];
  for (const finding of report.findings) {
    lines.push(`seed ${finding.seed}, schedule ${finding.schedule}: ${found(finding.report)}`);
    lines.push(`  ${repeat} --soak 1 --seed ${finding.seed}`);
  }
  lines.push(report.clean === report.scenarios ? "clean" : "NOT CLEAN");
  return `${lines.join("\n")}\n`;
}

function found(report: SoakReport["findings"][number]["report"]): string {
  const first = report.violations[0];
  if (first !== undefined) return `${first.rule} in ${first.call}: ${first.message.split("\n")[0]}`;
  if (report.leaks > 0) return counted(report.leaks, "leak");
  if (report.packets.mismatched > 0) return `${grouped(report.packets.mismatched)} frames with wrong bytes`;
  return "frames lost without a word";
}
