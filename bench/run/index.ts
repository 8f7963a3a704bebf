/** A run of the bench: the plan, the rows and modes that it measures, the results. */
export { MODE_NAMES } from "./modes.js";
export { type Plan, runBench } from "./plan.js";
export { describeMachine, type Machine, parseResults, type Results } from "./results.js";
export { measureRows, type Row, type RowSettings, type WrongSubject } from "./rows.js";
