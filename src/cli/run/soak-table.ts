/** The table of `ndis-shmem run --soak N`: how many scenarios, what they met with, and how to repeat what was found. */
import {
  captureLine,
  counted,
  durationText,
  grouped,
  percentText,
  type Row,
  type RowGroup,
  rowLines,
  wrapped,
} from "../../report/index.js";
import type { SoakReport } from "../../run/index.js";

/** Where a failure may have struck, in words, and what the driver saw of it. */
const PLACES: readonly (readonly [keyof SoakReport["injectedAt"], string, string])[] = [
  ["registration", "registrations", "RESOURCES"],
  ["synchronous", "synchronous", "NULL"],
  ["queue", "at the queue", "FAILURE, no completion"],
  ["service", "at the service", "PENDING, then NULL"],
  ["list", "lists", "RESOURCES"],
];

/** Lines of at most `columns` (a command to repeat a finding may be longer), ending in a line feed. */
export function soakTable(report: SoakReport, repeat: string, columns: number): string {
  const { packets, requests, timing } = report;
  const places = PLACES.flatMap(([point, label, remark]): Row[] => {
    const count = report.injectedAt[point] ?? 0;
    return count === 0 ? [] : [[`  ${label}`, grouped(count), remark]];
  });
  const rows: readonly RowGroup[] = [
    [
      "scenarios",
      [
        ["clean", grouped(report.clean), percentText(report.clean, report.scenarios)],
        ["refused to start", grouped(report.refused), "and released everything"],
        ["with findings", grouped(report.scenarios - report.clean)],
      ],
    ],
    ["failures", [["injected", grouped(report.injected)], ...places]],
    [
      "requests",
      [
        ["synchronous", grouped(requests.synchronous)],
        ["asynchronous", grouped(requests.asynchronous)],
        ["  FAILURE at once", grouped(requests.failedAtOnce)],
        ["  completed, NULL", grouped(requests.completedNull)],
      ],
    ],
    [
      "packets",
      [
        ["offered", grouped(packets.offered)],
        ["delivered", grouped(packets.delivered)],
        ["dropped", grouped(packets.dropped)],
        ...Object.entries(packets.reasons).map(([reason, count]): Row => [`  ${reason}`, grouped(count)]),
      ],
    ],
    ["speed", [["scenarios per second", grouped(timing.scenariosPerSecond), durationText(timing.wallMs * 1e6)]]],
  ];
  const mended = report.capture === null ? "" : captureLine(report.capture);
  const lines = [
    ...wrapped(
      `ndis-shmem run: ${report.driver}, ${counted(report.scenarios, "scenario")} from seed ${report.seed}`,
      columns,
    ),
    ...wrapped(mended === "" ? "" : `the capture: ${mended}`, columns),
    "",
    ...rowLines(rows, columns),
  ];
  for (const finding of report.findings) {
    const told = `seed ${finding.seed}, schedule ${finding.schedule}: ${found(finding.report)}`;
    lines.push(...wrapped(told, columns), `  ${repeat} --soak 1 --seed ${finding.seed}`);
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
