/** The judge: the core's interface in plain TypeScript. */
export { Judge } from "./judge.js";
export type { Run } from "./mappings.js";
export type { Verdict } from "./referee.js";
