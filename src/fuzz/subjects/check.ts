/** A user's own rule, which is asked after each event of a scenario and at its end. */
import type { Adapter, Machine } from "../../machine/index.js";

/** What a user's own check sees. */
export interface ScenarioView {
  /** The machine, with everything that its interface gives. */
  readonly machine: Machine;
  /** Every adapter of the scenario, in the order in which they were added. */
  readonly adapters: readonly Adapter[];
  /** True for the last look, when every adapter is halted. */
  readonly ended: boolean;
}

/** Returns, or throws, a sentence that says what is wrong; nothing, or anything but a string, where all is well. */
export type ScenarioCheck = (view: ScenarioView) => unknown;
