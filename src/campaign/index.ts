/**
 * `ndis-shmem/campaign`: fuzzing on many machines, over one PostgreSQL database. For Node alone.
 *
 *     const database = await Database.open("postgres://fuzz@db/fuzz");      after `initialise(url)`, once
 *     await submitCampaign(database, { name: "wk48", drivers: [await bundleDriver("./nic.mjs")], rates: new Map() });
 *     const worker = await startWorker(database, { place: { db: url }, threads: 2 });
 *     const { findings, drivers } = await readResults(database, "wk48");
 *
 * Needs the optional peers `pg` and `bullmq`. docs/campaigns.md is the guide. The database holds code that workers run.
 */
export {
  type Bundle,
  BundleFolder,
  bundleDriver,
  type Manifest,
  MOST_BUNDLE_BYTES,
  packManifest,
  unpackManifest,
} from "./bundle.js";
export { type Coverage, countSituations, countStates, coverageOf, EXACT_STATES, mergeCoverage } from "./coverage.js";
export {
  checkedUrl,
  Database,
  type Initialised,
  initialise,
  loadPeer,
  type Row,
  type Session,
  withoutPassword,
} from "./database.js";
export {
  classKey,
  compareFirst,
  type FindingClass,
  mergeFindings,
  mergeReproductions,
  REPRODUCTIONS_KEPT,
  type Reproduction,
} from "./findings.js";
export { addState, estimateStates, mergeRegisters, REGISTERS, STANDARD_ERROR } from "./hyperloglog.js";
export { PACKAGE_ROOT, PACKAGE_VERSION } from "./package.js";
export {
  CAMPAIGN_SEARCHES,
  type CampaignSearch,
  type JobData,
  jobId,
  missingJobs,
  NUMBERS_PER_SWEPT,
  type PartKey,
  parseMultirange,
  type Range,
  rangeAt,
  sizeOf,
  totalOf,
} from "./plan.js";
export { MOST_ENDS, Player, type PlayerLimits } from "./player.js";
export { fillQueue } from "./produce.js";
export { MOST_STALLS, openQueue, type Queue, type QueuePlace, queueName } from "./queue.js";
export { type JobResult, recordResult } from "./record.js";
export {
  type CampaignResult,
  type DriverResult,
  type PartResult,
  readBundle,
  readResults,
  readWorkers,
  type WorkerStatus,
} from "./results.js";
export { ROLES, SCHEMA, SCHEMA_VERSION } from "./schema.js";
export { type CampaignPlan, type Submitted, stopCampaign, submitCampaign } from "./submit.js";
export type { ThreadEnd } from "./thread.js";
export { isServerAway, type RunningWorker, startWorker, type WorkerOptions } from "./work.js";
