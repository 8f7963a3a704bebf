/** The subject `ndis-shmem`: the core as it is, with a replay loop linked to it. */
import { openCore, openMemory, openZone } from "../../assembly/index";
import { allocate, free } from "../../assembly/index";
import { lifoOver, replayOver } from "./replay";

export { openCore, openMemory, openZone, allocate, free };
export { flush } from "../../assembly/index";
export { imageDigest, verify } from "../../assembly/audit";
export { cursor, failures } from "./replay";

// @ts-ignore: decorator
@final @unmanaged
class Subject {
  // @ts-ignore: decorator
  @inline
  allocate(bytes: u32): u32 {
    return allocate(bytes);
  }
  // @ts-ignore: decorator
  @inline
  free(at: u32, bytes: u32): u32 {
    return free(at, bytes);
  }
}

export function replay(ops: usize, from: u32, to: u32, slots: usize): void {
  replayOver<Subject>(ops, from, to, slots);
}

export function lifo(bytes: u32, pairs: u32): u32 {
  return lifoOver<Subject>(bytes, pairs);
}
