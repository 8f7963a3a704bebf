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
export { type Bundle, BundleFolder, bundleDriver, type Manifest } from "./bundle.js";
export { checkedUrl, Database, type Initialised, initialise, loadPeer, type Row, type Session } from "./database.js";
export type { FindingClass, Reproduction } from "./findings.js";
export { PACKAGE_VERSION } from "./package.js";
export type { CampaignSearch, JobData, PartKey, Range } from "./plan.js";
export { Player, type PlayerLimits } from "./player.js";
export { openQueue, type Queue, type QueuedJob, type QueuePlace } from "./queue.js";
export type { JobResult } from "./record.js";
export {
  type CampaignResult,
  type DriverResult,
  type PartResult,
  readBundle,
  readResults,
  readWorkers,
  type WorkerStatus,
} from "./results.js";
export { ROLES, SCHEMA } from "./schema.js";
export { type CampaignPlan, type Submitted, stopCampaign, submitCampaign } from "./submit.js";
export { isServerAway, type RunningWorker, startWorker, type WorkerOptions } from "./work.js";
