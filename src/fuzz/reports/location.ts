/** Where in the driver's files a finding points at: for reports that tools read. */

/** A place in a source file. */
export interface SourceLocation {
  /** As the stack gives it: a path, or a `file:` URL. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** What tools are told of a finding. */
export interface ReportedFinding {
  readonly rule: string;
  readonly code: string;
  readonly call: string;
  /** The first line says what is wrong, the others more about it. */
  readonly message: string;
  /** Canonical bytes of the scenario in hexadecimal. */
  readonly scenario: string;
  /** The command that shows it again. */
  readonly command: string;
  /** A path relative to the working directory, with `/`; null for a driver of this package. */
  readonly file: string | null;
  /** Line and column there; 1 where nothing points into the file. */
  readonly line: number;
  readonly column: number;
}

/** What was searched. */
export interface ReportedSearch {
  readonly driver: string;
  readonly search: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  /** Of the package. */
  readonly version: string;
  readonly findings: readonly ReportedFinding[];
}

/** The places of a stack, innermost first. Lines that name none are left out. */
export function locationsOf(stack: string): SourceLocation[] {
  return stack.split("\n").flatMap((line) => {
    const match = /(?:\(|at |@)((?:file:\/\/)?[^\s()]+):(\d+):(\d+)\)?\s*$/.exec(line);
    return match === null ? [] : [{ file: match[1] as string, line: Number(match[2]), column: Number(match[3]) }];
  });
}
