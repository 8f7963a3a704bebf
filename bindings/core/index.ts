/** `ndis-shmem/core`: the allocator and translator alone, for simulators that have no NDIS. */
export * from "../addresses.js";
export { type ErrorCode, type ErrorDetails, type Mismatch, ShmemError } from "../errors.js";
export type * from "./api.js";
export { Core } from "./core.js";
export { type CoreModule, compileModule, type MemoryLimit } from "./wasm.js";
