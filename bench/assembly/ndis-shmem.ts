/**
 * The subject `ndis-shmem`: the core as it is, with a replay loop linked to it. The quick paths are inlined into the loop, as
 * they would be into that of any module which embeds the core.
 */
import { allocateInline } from "../../assembly/allocate";
import { freeInline } from "../../assembly/blocks";
import { allocate, free, holder, openCore, openMemory, openZone } from "../../assembly/index";
import { H_FIRST_ZONE, H_FRAME_SHIFT, Z_BASE, Z_FIRST, Z_WINDOW } from "../../assembly/layout";
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
    return allocateInline(bytes);
  }
  // @ts-ignore: decorator
  @inline
  free(at: u32, bytes: u32): u32 {
    return freeInline(at, bytes);
  }
}

export function replay(ops: usize, from: u32, to: u32, slots: usize): void {
  replayOver<Subject>(ops, from, to, slots);
}

export function lifo(bytes: u32, pairs: u32): u32 {
  return lifoOver<Subject>(bytes, pairs);
}

/** The virtual address of a frame of the one zone. */
export function virtualOf(frame: u32): f64 {
  const zone = <usize>load<u32>(H_FIRST_ZONE);
  return load<f64>(zone, Z_WINDOW) + <f64>(<u64>(frame - load<u32>(zone, Z_FIRST)) << load<u32>(H_FRAME_SHIFT));
}

/** Translate `count` virtual addresses (f64) to physical ones, 0 where nothing is live. Returns how many are live. */
export function translateMany(virtuals: usize, physicals: usize, count: u32): u32 {
  const zone = <usize>load<u32>(H_FIRST_ZONE);
  const window = load<f64>(zone, Z_WINDOW);
  const base = load<f64>(zone, Z_BASE);
  const first = load<u32>(zone, Z_FIRST);
  const shift = load<u32>(H_FRAME_SHIFT);
  let live: u32 = 0;
  for (let i: u32 = 0; i < count; ++i) {
    const ahead = load<f64>(virtuals + (i << 3)) - window;
    const found = holder(first + <u32>(<u64>ahead >> shift)) == 1;
    store<f64>(physicals + (i << 3), found ? base + ahead : 0);
    live += u32(found);
  }
  return live;
}
