/**
 * Everything that claims the core's interface. Each file of this folder runs its tests against every one of them.
 */
import type { CoreApi, CoreOptions } from "../../bindings/index.js";
import { Judge } from "../../src/model/index.js";

/** One implementation of `CoreApi`. */
export interface Implementation {
  readonly name: string;
  readonly open: (options: CoreOptions) => CoreApi;
}

/** The judge alone: what the judge's own tests need. */
export const judge: Implementation = { name: "judge", open: (options) => new Judge(options) };

export const implementations: readonly Implementation[] = [judge];
