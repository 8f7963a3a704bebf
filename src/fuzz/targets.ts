/** The registry: every target of ours, by name. `ndis-shmem fuzz --target NAME --seed N` plays one. */
import type { TargetEntry } from "./target.js";
import { captureTarget } from "./target-capture.js";
import { codecTarget } from "./target-codec.js";
import { coreTarget, ringTarget, translatorTarget } from "./target-core.js";
import { ndisTarget } from "./target-ndis.js";
import { snapshotTarget } from "./target-snapshot.js";

/** Every target, in the order in which they are played. */
export const TARGETS: readonly TargetEntry[] = [
  coreTarget,
  translatorTarget,
  ringTarget,
  ndisTarget,
  snapshotTarget,
  captureTarget,
  codecTarget,
];
