/** Public entry of src/run: play a capture to a driver, once or many times, and say what happened. */
export { ARENA_BASE, HIGH_ARENA_BASE, type PlayedFrame, type PlayOptions, type PlayResult, play } from "./play.js";
export { type SoakFinding, type SoakOptions, type SoakReport, soak } from "./soak.js";
