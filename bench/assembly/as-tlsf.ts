/**
 * The subject `as-tlsf`: the allocator of AssemblyScript's own runtime.
 *
 * It takes all the memory there is at its first call, which is how its arena gets the size of the others': the host
 * makes the memory that large, calls `begin`, and adds the room for operations and slots afterwards. It then may not
 * grow further, so that being out of memory is a trap, which the host counts.
 */
import { lifoOver, replayOver } from "./replay";

export { cursor, failures } from "./replay";

/** Where the heap begins: what lies below is the allocator's root and takes nothing from the arena. */
export function heapBase(): usize {
  return __heap_base;
}

/**
 * Start the allocator, and take `withhold` bytes for good from the start of its heap: that makes the arena smaller than
 * whole pages of linear memory. A multiple of 16. Small pieces, because a large request is rounded up before the search
 * and might find nothing, and then the runtime would grow.
 */
export function begin(withhold: u32): void {
  heap.free(heap.alloc(16));
  // A block takes its bytes and four more, rounded up to 16.
  for (; withhold >= 1024; withhold -= 1024) heap.alloc(1020);
  if (withhold >= 16) heap.alloc(withhold - 4);
}

export function allocate(bytes: u32): usize {
  return heap.alloc(bytes);
}

export function free(at: usize): void {
  heap.free(at);
}

// @ts-ignore: decorator
@final @unmanaged
class Subject {
  // @ts-ignore: decorator
  @inline
  allocate(bytes: u32): u32 {
    return <u32>heap.alloc(bytes);
  }
  // @ts-ignore: decorator
  @inline
  free(at: u32, bytes: u32): u32 {
    heap.free(at);
    return 0;
  }
}

export function replay(ops: usize, from: u32, to: u32, slots: usize): void {
  replayOver<Subject>(ops, from, to, slots);
}

export function lifo(bytes: u32, pairs: u32): u32 {
  return lifoOver<Subject>(bytes, pairs);
}
