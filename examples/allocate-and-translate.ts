/**
 * The core alone: blocks with constraints, addresses both ways, bytes, refusals. For a simulator that has no NDIS.
 *
 * Two zones of physical memory, one below and one above 4 GiB. The zone with the highest base serves first, so that low
 * memory is left for devices that reach nothing else; such a device says so with `highest`.
 *
 * Run: node examples/run.mjs allocate-and-translate
 * Prints:
 *   ring     4096 bytes at 0x400010000000, physical 0x10000000
 *   frame    1554 bytes at 0x400100000000, physical 0x100000000
 *   byte 100 of the frame is physical 0x100000064, and the answer holds for 3996 bytes
 *   the device wrote "hello", the processor reads "hello"
 *   20 MiB: no block, fragmented: 33546240 bytes free, 16515072 of them in one run
 *   20 MiB in 3 runs: 8388608 + 8388608 + 4194304 bytes
 *   second free: ALREADY_FREED
 *   all freed: the digest is that of the beginning, and verify finds 0 broken rules
 */
import { Core, hex, ShmemError } from "ndis-shmem/core";

const MIB = 2 ** 20;
const ram = new Uint8Array(32 * MIB);
const core = Core.openSync({
  arena: ram,
  zones: [
    { base: 256 * MIB, size: 16 * MIB },
    { base: 4096 * MIB, size: 16 * MIB },
  ],
});
const empty = core.digest();

// A descriptor ring for a 32-bit device that must not cross 64 KiB, and a buffer that may lie anywhere.
const ring = core.allocate(4096, { highest: 2 ** 32 - 1, boundary: 65536 });
const frame = core.allocate(1554);
console.log(`ring     4096 bytes at ${hex(ring)}, physical ${hex(core.physicalOf(ring))}`);
console.log(`frame    1554 bytes at ${hex(frame)}, physical ${hex(core.physicalOf(frame))}`);

// A translation says for how many bytes it holds: to the end of the block's last frame, which is mapped whole.
const { physical, lengthBytes } = core.translate((frame + 100) as typeof frame);
console.log(`byte 100 of the frame is physical ${hex(physical)}, and the answer holds for ${lengthBytes} bytes`);

// The device knows the physical address only, and what it writes lands in the arena, which the host owns.
ram.set(new TextEncoder().encode("hello"), core.arenaOffsetOf(core.physicalOf(frame)));
console.log(`the device wrote "hello", the processor reads "${new TextDecoder().decode(core.bytes(frame, 5))}"`);

// Out of memory is the answer 0, and `lastFailure` says why. Scattered runs may still serve.
if (core.allocate(20 * MIB) === 0 && core.lastFailure !== undefined) {
  const { reason, freeBytes, largestFreeBytes } = core.lastFailure;
  console.log(`20 MiB: no block, ${reason}: ${freeBytes} bytes free, ${largestFreeBytes} of them in one run`);
}
const scattered = core.allocate(20 * MIB, { contiguous: false });
const runs = core.runs(scattered, 20 * MIB);
console.log(`20 MiB in ${runs.length} runs: ${runs.map((run) => run.lengthBytes).join(" + ")} bytes`);

// A free names the block, and its length if you give it. What does not match is refused, and changes nothing.
core.free(scattered, 20 * MIB);
core.free(frame, 1554);
core.free(ring);
try {
  core.free(frame);
} catch (error) {
  if (!(error instanceof ShmemError)) throw error;
  console.log(`second free: ${error.code}`);
}
const same = core.digest() === empty ? "that of the beginning" : "another";
console.log(`all freed: the digest is ${same}, and verify finds ${core.verify().length} broken rules`);
core.dispose();
