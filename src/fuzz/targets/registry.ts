/** The registry: every target of ours, by name. `ndis-shmem fuzz --target NAME --seed N` plays one. */

import { captureTarget } from "./capture.js";
import { codecTarget } from "./codec.js";
import { coreTarget, ringTarget, translatorTarget } from "./core.js";
import { ndisTarget } from "./ndis.js";
import { recordingTargets } from "./recordings.js";
import { snapshotTarget } from "./snapshot.js";
import type { TargetEntry } from "./target.js";

/** Every target, in the order in which they are played. */
export const TARGETS: readonly TargetEntry[] = [
  coreTarget,
  translatorTarget,
  ringTarget,
  ndisTarget,
  snapshotTarget,
  captureTarget,
  codecTarget,
  ...recordingTargets,
];
