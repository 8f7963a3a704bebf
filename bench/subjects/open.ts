/** Opening a subject at a place: inside Wasm, or across the boundary. */
import { JsReplayer, type Replayer } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";
import type { Subject, Where } from "./subject.js";

/** A fresh replayer, or undefined where the subject cannot be measured. */
export function openReplayer(subject: Subject, where: Where, workload: Workload): Replayer | undefined {
  if (where === "wasm") return subject.openInside?.(workload);
  const allocator = subject.openAcross?.(workload);
  return allocator === undefined ? undefined : new JsReplayer(allocator, workload);
}
