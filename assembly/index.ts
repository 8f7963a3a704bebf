/**
 * What the core offers to its host. One file on the other side calls these (bindings/core/wasm.ts).
 *
 * Everything is a number: frame numbers u32, addresses and byte counts above 32 bits f64. Nothing is imported.
 */
export { openCore, openZone, openMemory, metadataBytes } from "./open";
export { allocate, freeScattered, longestBlock, noteFailure } from "./allocate";
export { free, freeTagged, holder, inspect, sizeOf, tagOf, claim, reclaim, release } from "./blocks";
export { mappingAt, mappingAtPhysical, meeting, meetingPhysical, reserve, insert, unmapGroup } from "./mappings";
export { serve } from "./ring";
export { digest, imageDigest } from "./digest";
export { verify } from "./verify";

/**
 * Finish whatever merging was deferred. Nothing is: buddies merge at once here. It stays in the contract because a front
 * cache will defer.
 */
export function flush(): void {}
