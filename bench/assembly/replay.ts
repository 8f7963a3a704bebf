/**
 * The replay loops, in AssemblyScript: one call from the host, many operations.
 *
 * A subject is an unmanaged class without fields, made of two methods that the compiler can inline:
 *
 *     allocate(bytes: u32): u32            the block's address, or 0
 *     free(at: u32, bytes: u32): u32       0, or why not
 *
 * Operations are those of bench/workloads/form.ts. Slots lie behind them: { u32 at, u32 bytes }, at 0 when empty. Whoever
 * replays puts both where the allocator does not reach.
 *
 * `cursor` and `failures` are globals because a subject may trap when it is out of memory: the host then counts the
 * failure and goes on behind the cursor. All subjects pay for them alike.
 */

/** The operation that allocates now: a byte address. */
export let cursor: usize = 0;
/** Allocations that were answered with 0. The host sets it back. */
export let failures: u32 = 0;

const FREE: u32 = 0x40000000;

/** Do operations `from` to `to`. Traps when a free is refused: then the bench, or the subject, is wrong. */
// @ts-ignore: decorator
@inline
export function replayOver<S>(ops: usize, from: u32, to: u32, slots: usize): void {
  const subject = changetype<S>(0);
  const end = ops + (<usize>to << 3);
  for (let op = ops + (<usize>from << 3); op < end; op += 8) {
    const word = load<u32>(op);
    const slot = slots + (<usize>word << 3); // bit 30 leaves at the top
    if ((word & FREE) != 0) {
      const at = load<u32>(slot);
      if (at != 0) {
        if (subject.free(at, load<u32>(slot, 4)) != 0) unreachable();
        store<u32>(slot, 0);
      }
    } else {
      cursor = op;
      const bytes = load<u32>(op, 4);
      const at = subject.allocate(bytes);
      store<u32>(slot, at);
      store<u32>(slot, bytes, 4);
      if (at == 0) ++failures;
    }
  }
}

/** `pairs` times allocate and free. Returns the sum of the addresses, so that nothing can be left out. */
// @ts-ignore: decorator
@inline
export function lifoOver<S>(bytes: u32, pairs: u32): u32 {
  const subject = changetype<S>(0);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < pairs; ++i) {
    const at = subject.allocate(bytes);
    sum += at;
    if (subject.free(at, bytes) != 0) unreachable();
  }
  return sum;
}
