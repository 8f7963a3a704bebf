/** Measurements that are no replay of a workload; each runs alone in a process of its own. */
export { COMPLETIONS } from "./complete.js";
export { CROSSINGS } from "./crossing.js";
export { OPENINGS } from "./open.js";
export type { Space } from "./space.js";
export { runTask, type Tasks } from "./tasks.js";
export { TRANSLATIONS } from "./translate.js";
export { CORES } from "./two-cores.js";
export type { Tail } from "./worst-operation.js";
