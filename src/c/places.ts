/**
 * Places: where in the C source something happened, and how it was called.
 *
 *     hw.c:214 (HwFreeRxBlock <- NicHalt nic.c:88)
 *
 * A stack is an array of site numbers, innermost first, as the module keeps them; it becomes words when somebody looks.
 */
import type { Sites } from "./module.js";

/** Site numbers, innermost first. */
export type Stack = readonly number[];

/** One level of a C call stack. */
export interface CFrame {
  readonly functionName: string;
  readonly file: string;
  readonly line: number;
}

/** The frames of a stack, innermost first; inlined callers are frames as well. */
export function framesOf(sites: Sites, stack: Stack): readonly CFrame[] {
  const frames: CFrame[] = [];
  for (const site of stack) {
    for (const [functionIndex, fileIndex, line] of sites.sites[site] ?? []) {
      frames.push({ functionName: sites.functions[functionIndex] ?? "?", file: sites.files[fileIndex] ?? "?", line });
    }
  }
  return frames;
}

/** `hw.c:214 (HwFreeRxBlock <- NicHalt nic.c:88)`; empty where nothing is known. */
export function describeStack(sites: Sites, stack: Stack): string {
  const [first, ...more] = framesOf(sites, stack);
  if (first === undefined) return "";
  const callers = more.slice(0, 6).map((frame) => ` <- ${frame.functionName} ${frame.file}:${frame.line}`);
  return `${first.file}:${first.line} (${first.functionName}${callers.join("")}${more.length > 6 ? " <- ..." : ""})`;
}
