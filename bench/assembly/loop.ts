/** The subject `loop`: no allocator at all. What it costs is what the loops cost in every other row. */
import { lifoOver, replayOver } from "./replay";

export { cursor, failures } from "./replay";

export function allocate(bytes: u32): u32 {
  return bytes;
}

export function free(at: u32, bytes: u32): u32 {
  return at ^ bytes;
}

// @ts-ignore: decorator
@final @unmanaged
class Subject {
  // @ts-ignore: decorator
  @inline
  allocate(bytes: u32): u32 {
    return bytes;
  }
  // @ts-ignore: decorator
  @inline
  free(at: u32, bytes: u32): u32 {
    return at ^ bytes;
  }
}

export function replay(ops: usize, from: u32, to: u32, slots: usize): void {
  replayOver<Subject>(ops, from, to, slots);
}

export function lifo(bytes: u32, pairs: u32): u32 {
  return lifoOver<Subject>(bytes, pairs);
}
