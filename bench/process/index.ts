/** Measuring processes: every figure comes from a process that measures one subject alone. */
export { alone, Measurer } from "./measurer.js";
export type { Job } from "./protocol.js";
