/**
 * uvu, counted.
 *
 * The runner points every test's `import ... from "uvu"` here. uvu alone can be fooled: it ends with exit code 0 when a
 * test throws something that is not an Error, when a hook throws, when `test.run()` is missing, and when a promise never
 * settles. So this wrapper keeps its own counts beside uvu's:
 *
 *     registered = passed + failed + skipped          (anything else is an unfinished file)
 *
 * and writes them, as one line of JSON, to the file named by the environment variable `TEST_REPORT` when the process
 * exits, whichever way it exits. The runner believes a file only if these counts agree and uvu's own total agrees.
 */
import { writeFileSync } from "node:fs";
import { inspect } from "node:util";
import * as uvu from "uvu";

/** What one test file reports. `problems` are findings that no single test owns. */
export interface FileReport {
  registered: number;
  passed: number;
  failed: number;
  only: number;
  suites: number;
  suitesRun: number;
  skips: string[];
  unfinished: string[];
  problems: string[];
}

type Callback = (context: never) => unknown;
type Registration = (name: string, handler: Callback) => void;

const report: FileReport = {
  registered: 0,
  passed: 0,
  failed: 0,
  only: 0,
  suites: 0,
  suitesRun: 0,
  skips: [],
  unfinished: [],
  problems: [],
};
/** A part of the names of the tests that run; the others are as if they were not written. */
const wanted = process.env.TEST_NAME ?? "";
const open = new Set<{ readonly name: string }>();

/** uvu formats `err.name` and `err.stack`; a thrown string has neither and would end the file in silence. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const foreign = thrown as { name?: unknown; message?: unknown; stack?: unknown } | null | undefined;
  if (typeof foreign?.name === "string" && typeof foreign.stack === "string") return thrown as Error;
  return new Error(`threw something that is not an Error: ${inspect(thrown)}`);
}

function counted(name: string, handler: Callback): Callback {
  const entry = { name };
  open.add(entry);
  return async (context: never) => {
    try {
      await handler(context);
      report.passed += 1;
    } catch (thrown) {
      report.failed += 1;
      throw asError(thrown);
    } finally {
      open.delete(entry);
    }
  };
}

/** uvu swallows what a `before` or `after` hook throws; here it is a problem of the file. */
function guarded(kind: string, handler: Callback): Callback {
  return async (context: never) => {
    try {
      await handler(context);
    } catch (thrown) {
      const error = asError(thrown);
      report.problems.push(`a ${kind} hook threw: ${error.stack ?? error.message}`);
      throw error;
    }
  };
}

function wrap(real: uvu.Test<Record<string, unknown>>, suiteName: string): uvu.Test<Record<string, unknown>> {
  const label = (name: string): string => (suiteName === "" ? name : `${suiteName}: ${name}`);
  let pending = 0;
  let counts = false;
  const register =
    (into: Registration): Registration =>
    (name, handler) => {
      if (!label(name).includes(wanted)) return;
      if (typeof handler !== "function") {
        report.problems.push(`test "${label(name)}" has no function`);
        return;
      }
      if (!counts) {
        counts = true;
        report.suites += 1;
      }
      pending += 1;
      report.registered += 1;
      into(name, counted(label(name), handler));
    };
  const hook = (kind: string, into: (handler: never) => void): ((handler: Callback) => void) => {
    return (handler) => into(guarded(kind, handler) as never);
  };
  const test = register((name, handler) => real(name, handler as never)) as unknown as uvu.Test<
    Record<string, unknown>
  >;
  const only = register((name, handler) => real.only(name, handler as never));
  test.only = (name: string, handler: unknown): void => {
    report.only += 1;
    only(name, handler as Callback);
  };
  test.skip = (name?: string): void => {
    if (!label(name ?? "").includes(wanted)) return;
    report.registered += 1;
    report.skips.push(label(name ?? ""));
    real.skip(name);
  };
  test.before = Object.assign(hook("before", real.before), { each: hook("before.each", real.before.each) });
  test.after = Object.assign(hook("after", real.after), { each: hook("after.each", real.after.each) });
  test.run = () => {
    if (pending > 0) report.suitesRun += 1;
    pending = 0;
    counts = false;
    real.run();
  };
  return test;
}

/** As `uvu.suite`. */
export function suite(name = "", state: Record<string, unknown> = {}): uvu.Test<Record<string, unknown>> {
  return wrap(uvu.suite(name, state), name);
}

/** As `uvu.test`. */
export const test: uvu.Test<Record<string, unknown>> = wrap(uvu.test, "");

export const exec: typeof uvu.exec = uvu.exec;

process.on("unhandledRejection", (reason) => {
  const error = asError(reason);
  report.problems.push(`an unhandled rejection: ${error.stack ?? error.message}`);
  process.exitCode = 1;
});
process.on("uncaughtExceptionMonitor", (thrown) => {
  const error = asError(thrown);
  report.problems.push(`an uncaught exception: ${error.stack ?? error.message}`);
});

const reportFile = process.env.TEST_REPORT;
process.on("exit", () => {
  report.unfinished = [...open].map((entry) => entry.name);
  if (reportFile !== undefined) writeFileSync(reportFile, JSON.stringify(report));
});
