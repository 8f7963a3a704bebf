/**
 * Everything that claims the core's interface. Each file of this folder runs its tests against every one of them.
 */
import { readFileSync } from "node:fs";
import { Core, compileModule } from "../../bindings/core/index.js";
import type { CoreApi, CoreOptions } from "../../bindings/index.js";
import { Judge } from "../../src/model/index.js";

/** One implementation of `CoreApi`. */
export interface Implementation {
  readonly name: string;
  readonly open: (options: CoreOptions) => CoreApi;
}

/** The judge alone: what the judge's own tests need. */
export const judge: Implementation = { name: "judge", open: (options) => new Judge(options) };

/** The build that users get. */
export const release: Implementation = { name: "release", open: (options) => Core.openSync(options) };

const debugModule = compileModule(new Uint8Array(readFileSync("build/debug.wasm")));

/** The build with asserts on. */
export const debug: Implementation = { name: "debug", open: (options) => Core.openOver(debugModule, options) };

export const implementations: readonly Implementation[] = [judge, release, debug];
