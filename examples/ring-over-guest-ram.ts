/**
 * The core laid over an emulator's guest RAM: a descriptor ring and its buffers, reached by the guest and by the device.
 *
 * The RAM is a WebAssembly.Memory that belongs to the emulator. Guest-physical address 0 is its byte 0, so a zone's bytes
 * start at the offset that equals its base. The core manages the upper 8 MiB and never reads or writes a byte there: its
 * own state lies in another memory, where no wild write of the guest can reach it. No copy is made on either side.
 *
 *   guest RAM   0        8 MiB                16 MiB
 *               | guest  | zone of the core   |
 *
 * A descriptor, little-endian: physical address u64, length u32, flags u32 (1: the device has written it).
 *
 * Run: node examples/run.mjs ring-over-guest-ram
 * Prints:
 *   ring of 8 descriptors at guest-physical 0x800000, buffers from 0x800800 on
 *   the device filled 3 descriptors
 *   the guest reads: frame 0, frame 1, frame 2
 *   after growth: the old view has 0 bytes, a fresh one reads "frame 0"
 *   all freed: 8388608 of 8388608 bytes are free
 */
import { Core, hex, type PhysicalAddress, type VirtualAddress } from "ndis-shmem/core";

const DESCRIPTOR = 16;
const BUFFER = 2048;
const COUNT = 8;

const guest = new WebAssembly.Memory({ initial: 256, maximum: 512 }); // 16 MiB
const core = Core.openSync({
  zones: [{ base: 0x80_0000, size: 0x80_0000, arenaOffset: 0x80_0000 }],
  virtualBase: "identity", // the guest runs without paging: virtual is physical
  frameSize: BUFFER,
  arena: guest,
});

// Driver's side: one block for the ring, one for each buffer. One call into the core allocates all buffers.
const ring = core.allocate(COUNT * DESCRIPTOR);
const buffers = new Float64Array(COUNT);
const physicals = new Float64Array(COUNT);
core.allocateBatch(new Uint32Array(COUNT).fill(BUFFER), buffers, physicals);
const descriptors = core.bytes(ring, COUNT * DESCRIPTOR);
const fields = new DataView(descriptors.buffer, descriptors.byteOffset, descriptors.byteLength);
for (let i = 0; i < COUNT; i++) {
  fields.setBigUint64(i * DESCRIPTOR, BigInt(physicals[i] as number), true);
  fields.setUint32(i * DESCRIPTOR + 8, BUFFER, true);
}
const first = Math.min(...physicals);
console.log(
  `ring of ${COUNT} descriptors at guest-physical ${hex(core.physicalOf(ring))}, buffers from ${hex(first)} on`,
);

// Device's side: it was told where the ring is, and reaches everything by physical address.
const bus = { ring: core.physicalOf(ring), next: 0 };
function deviceReceives(frame: string): void {
  const ram = new DataView(guest.buffer); // looked up at each access, because memory may grow
  const at = core.arenaOffsetOf(bus.ring) + bus.next++ * DESCRIPTOR;
  const target = Number(ram.getBigUint64(at, true)) as PhysicalAddress;
  const { lengthBytes } = core.translatePhysical(target); // TRANSLATION_FAULT where no live block is
  const bytes = new TextEncoder().encode(frame).subarray(0, lengthBytes);
  new Uint8Array(guest.buffer, core.arenaOffsetOf(target), bytes.length).set(bytes);
  ram.setUint32(at + 8, bytes.length, true);
  ram.setUint32(at + 12, 1, true);
}
for (let i = 0; i < 3; i++) deviceReceives(`frame ${i}`);
console.log(`the device filled ${bus.next} descriptors`);

// Driver's side again: what the flags say is there.
function read(i: number): string {
  const view = core.bytes(ring, COUNT * DESCRIPTOR);
  const length = new DataView(view.buffer, view.byteOffset).getUint32(i * DESCRIPTOR + 8, true);
  return new TextDecoder().decode(core.bytes(buffers[i] as VirtualAddress, length));
}
console.log(`the guest reads: ${[0, 1, 2].map(read).join(", ")}`);

// The guest grows its memory. Every view made before is detached now; `core.bytes` makes them anew when asked.
guest.grow(16);
console.log(`after growth: the old view has ${descriptors.length} bytes, a fresh one reads "${read(0)}"`);

core.freeBatch(buffers);
core.free(ring);
const { freeBytes, totalBytes } = core.stats();
console.log(`all freed: ${freeBytes} of ${totalBytes} bytes are free`);
core.dispose();
