/**
 * Results: what a run of the bench found, as data. The JSON that `--json` prints and `--compare` reads is this.
 */

import { cpus, totalmem } from "node:os";
import { ShmemError } from "../../bindings/core/index.js";
import type { Space, Tail } from "../measurements/index.js";
import type { Row, WrongSubject } from "./rows.js";

/** Where figures come from. Ratios carry over to another machine better than figures. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly v8: string;
  readonly platform: string;
}

export interface Results {
  /** Version of this format. */
  readonly format: 1;
  readonly machine: Machine;
  /** The command line that made them. */
  readonly command: string;
  readonly rows: readonly Row[];
  /** Subjects that have no row because of what they answered; absent in older results. */
  readonly wrong?: readonly WrongSubject[];
  /** The slowest single operations. */
  readonly tails: readonly Tail[];
  /** Memory that recordings need. */
  readonly spaces: readonly Space[];
  /** What should have been equal and was not; empty when all is well. */
  readonly disagreements: readonly string[];
  /** A number that depends on everything that was done. */
  readonly sink: number;
}

/** This machine. */
export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** One line about a machine. */
export function describeMachine({ processor, cores, node, platform }: Machine): string {
  return `${processor}, ${cores} cores, ${platform}, Node ${node}`;
}

function isRow(value: unknown): boolean {
  const row = value as Partial<Row> | null;
  return (
    typeof row === "object" &&
    row !== null &&
    typeof row.workload === "string" &&
    typeof row.where === "string" &&
    typeof row.subject === "string" &&
    typeof row.nsPerOp?.min === "number" &&
    typeof row.nsPerOp.median === "number" &&
    typeof row.nsPerOp.max === "number"
  );
}

/** Results from JSON. `INVALID_ARGUMENT` for what is none. */
export function parseResults(text: string, file: string): Results {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ShmemError("INVALID_ARGUMENT", `${file} ${why}`, { field: "compare", value: file, unit: "file", cause });
  };
  let parsed: Partial<Results> | null;
  try {
    parsed = JSON.parse(text) as Partial<Results> | null;
  } catch (cause) {
    return refuse("is no JSON", cause);
  }
  if (parsed?.format !== 1) return refuse("is no result of this bench (format 1)");
  if (!Array.isArray(parsed.rows) || !parsed.rows.every(isRow)) return refuse("has damaged rows");
  return parsed as Results;
}
