/**
 * Which lines of the driver ran: V8's precise coverage, written as lcov.
 *
 * Counted are the files under the driver's own folder, but for node_modules. A line counts as often as its least often run
 * part that begins in it. Counting costs between half and five sixths of the speed, so it is on request.
 */
import { readFileSync } from "node:fs";
import { Session } from "node:inspector";
import { findSourceMap } from "node:module";
import { dirname, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Script {
  readonly url: string;
  readonly functions: readonly { readonly functionName: string; readonly ranges: readonly Range[] }[];
}

/** One measurement, from `start` to `finish`. */
export class LineCoverage {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  /** Begin to count. Call before the driver's module is imported, or what it ran then is not counted. */
  static async start(): Promise<LineCoverage> {
    const session = new Session();
    session.connect();
    const coverage = new LineCoverage(session);
    await coverage.#post("Profiler.enable");
    await coverage.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return coverage;
  }

  /** End, and give the counts as lcov. `path`: the driver's module; null gives no file at all. */
  async finish(path: string | null): Promise<string> {
    const { result } = (await this.#post("Profiler.takePreciseCoverage")) as { readonly result: readonly Script[] };
    this.#session.disconnect();
    if (path === null) return "";
    const folder = dirname(resolve(path)) + sep;
    return result
      .filter(({ url }) => url.startsWith("file:"))
      .map((script) => ({ script, file: fileURLToPath(script.url) }))
      .filter(({ file }) => file.startsWith(folder) && !file.includes(`${sep}node_modules${sep}`))
      .map(({ script, file }) => lcovOf(script, file))
      .join("");
  }

  #post(method: string, params: object = {}): Promise<unknown> {
    return new Promise((done, failed) => {
      this.#session.post(method, params, (error, result) => (error === null ? done(result) : failed(error)));
    });
  }
}

/** The record of one file. */
function lcovOf(script: Script, file: string): string {
  const map = findSourceMap(script.url);
  const text = map === undefined ? readFileSync(file, "utf8") : "";
  const counts = map === undefined ? lineCounts(text, script) : undefined;
  if (counts === undefined) return "";
  const functions = script.functions.filter(({ functionName }) => functionName !== "");
  const lines = [...counts].map(([line, count]) => `DA:${line},${count}`);
  const hit = [...counts.values()].filter((count) => count > 0).length;
  return [
    "TN:",
    `SF:${file}`,
    ...functions.map(({ functionName, ranges }) => `FN:${lineAt(text, ranges[0]?.startOffset ?? 0)},${functionName}`),
    ...functions.map(({ functionName, ranges }) => `FNDA:${ranges[0]?.count ?? 0},${functionName}`),
    `FNF:${functions.length}`,
    `FNH:${functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0).length}`,
    ...lines,
    `LF:${counts.size}`,
    `LH:${hit}`,
    "end_of_record",
    "",
  ].join("\n");
}

/** How often each line with code ran: the count of the innermost range around its first character that is no space. */
export function lineCounts(text: string, script: Pick<Script, "functions">): Map<number, number> {
  const ranges = script.functions
    .flatMap((one) => one.ranges)
    .sort((one, two) => one.startOffset - two.startOffset || two.endOffset - one.endOffset);
  const counts = new Map<number, number>();
  let offset = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const first = line.search(/\S/);
    const isCode = first >= 0 && !/^\s*(?:\/\/|\/?\*|[{}()[\];,]*\s*$)/.test(line);
    if (isCode) {
      const at = offset + first;
      const around = ranges.filter(({ startOffset, endOffset }) => startOffset <= at && at < endOffset);
      counts.set(index + 1, around.at(-1)?.count ?? 0);
    }
    offset += line.length + 1;
  }
  return counts;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
