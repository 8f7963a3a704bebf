/**
 * Shared memory with promises: `await` a block, give it back with `using`, give a request up with an AbortSignal.
 *
 * The pool is a miniport driver of its own, over the same calls and rules as any other. Simulated time passes while
 * somebody waits, and none while nobody does.
 *
 * Run: node examples/run.mjs promise-pool
 * Prints:
 *   10 blocks, 133231 ns of simulated time
 *   1554 bytes, physical 0x10009000, live blocks: 1
 *   after the braces, live blocks: 0
 *   2 MiB out of 1 MiB: null, exhausted
 *   -1 bytes: INVALID_ARGUMENT
 *   aborted: no longer needed
 *   13 requests, 13 completions, live blocks: 0
 */
import { SharedMemoryPool } from "ndis-shmem";

await using pool = await SharedMemoryPool.open({ seed: 7, zones: [{ base: 2 ** 28, size: 2 ** 20 }] });

// Ten frames at once: the requests are pending together, and are served in one call into the core.
const lengths = Array.from({ length: 10 }, (_, i) => 64 + 145 * i);
const blocks = await Promise.all(lengths.map((length) => pool.allocate(length)));
console.log(`${blocks.length} blocks, ${pool.machine.nowNs} ns of simulated time`);
for (const block of blocks) block?.free();

{
  using block = await pool.allocate(1554);
  if (block === null) throw new Error(pool.lastFailure?.reason);
  block.bytes.set(new TextEncoder().encode("for the device"));
  console.log(`${block.lengthBytes} bytes, physical 0x${block.physical.toString(16)}, live blocks: ${pool.liveBlocks}`);
}
console.log(`after the braces, live blocks: ${pool.liveBlocks}`);

// Out of memory is null. What cannot work is refused.
const tooLarge = await pool.allocate(2 ** 21);
console.log(`2 MiB out of 1 MiB: ${tooLarge}, ${pool.lastFailure?.reason}`);
const refused = await pool.allocate(-1).catch((error: Error & { code: string }) => error.code);
console.log(`-1 bytes: ${refused}`);

// NDIS cannot cancel a request. The promise ends at once; the block, when it comes, goes straight back.
const controller = new AbortController();
const unwanted = pool.allocate(4096, { signal: controller.signal });
controller.abort(new Error("no longer needed"));
console.log(`aborted: ${await unwanted.catch((error: Error) => error.message)}`);
await pool.machine.run();
const { asynchronous, completed } = pool.machine.report().requests;
console.log(`${asynchronous} requests, ${completed} completions, live blocks: ${pool.liveBlocks}`);
