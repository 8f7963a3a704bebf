/** Timing: stopwatch, warm-up, samples and what is told of them. */
export { type Probe, probe, probeAsync } from "./probe.js";
export { type Sample, Sampler, TIME_LIMITS, type TimeLimits } from "./sampler.js";
export { median, type Quartiles, type Spread, spreadOf } from "./spread.js";
