/**
 * What the core offers to its host. One file on the other side calls these (bindings/core/wasm.ts).
 *
 * Everything is a number: frame numbers u32, addresses and byte counts above 32 bits f64. Nothing is imported. What only
 * looks at the state (verify, digests) is a module of its own over the same memory: audit.ts.
 */
export { openCore, openZone, openMemory, metadataBytes } from "./open";
export { allocate, freeScattered, longestBlock, noteFailure } from "./allocate";
export { free, freeAny, freeTagged, holder, inspect, sizeOf, tagOf, beginFree, abortFree, commitFree } from "./blocks";
export { mappingAt, mappingAtPhysical, meeting, meetingPhysical, reserve, insert, unmapOwner } from "./mappings";
export { serve } from "./ring";
export { flush, cachedBlocks } from "./cache";
