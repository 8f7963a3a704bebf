/**
 * Measurements that are no replay of a workload: each is a function that runs alone in a fresh process and returns plain
 * data. The bench knows them by name.
 */
import type { Probe } from "../timing/index.js";
import { measureCompletion } from "./complete.js";
import { measureCrossing } from "./crossing.js";
import { measureOpening } from "./open.js";
import { measureSpace, type Space, type SpaceTask } from "./space.js";
import { measureTranslation } from "./translate.js";
import { measureCores } from "./two-cores.js";
import { measureTail, type Tail, type TailTask } from "./worst-operation.js";

/** What each task wants and returns. */
export interface Tasks {
  tail: { readonly argument: TailTask; readonly result: Tail };
  crossing: { readonly argument: { readonly variant: string; readonly rounds: number }; readonly result: Probe };
  translate: { readonly argument: { readonly variant: string; readonly rounds: number }; readonly result: Probe };
  complete: { readonly argument: { readonly variant: string; readonly rounds: number }; readonly result: Probe };
  "two-cores": { readonly argument: { readonly cores: number; readonly rounds: number }; readonly result: Probe };
  open: { readonly argument: { readonly size: string; readonly rounds: number }; readonly result: Probe };
  space: { readonly argument: SpaceTask; readonly result: Space };
}

type Bodies = {
  [K in keyof Tasks]: (argument: Tasks[K]["argument"]) => Tasks[K]["result"] | Promise<Tasks[K]["result"]>;
};

const BODIES: Bodies = {
  tail: measureTail,
  crossing: measureCrossing,
  translate: measureTranslation,
  complete: measureCompletion,
  "two-cores": measureCores,
  open: measureOpening,
  space: measureSpace,
};

/** Run a task in this process. */
export async function runTask(name: keyof Tasks, argument: unknown): Promise<unknown> {
  return (BODIES[name] as (argument: unknown) => unknown)(argument);
}
