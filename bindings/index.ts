/** The public entry point of bindings: everything that `src` may use. */
export * from "./addresses.js";
export * from "./core/api.js";
export { Core } from "./core/core.js";
export * from "./core/options.js";
export { claimCore, refuseIfClaimed } from "./core/ownership.js";
export * from "./errors.js";
export * from "./ndis/host.js";
export * from "./ndis/index.js";
