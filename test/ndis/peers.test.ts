/**
 * Bugs of other open implementations of this family, as regression tests: what they do to a driver must not happen here.
 */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type NDIS_PHYSICAL_ADDRESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsync,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { type Block, check, open, refused } from "./rig.js";

test("the completion's first argument is the driver's context, not NDIS' own adapter, block or handle", async () => {
  const rig = await open();
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, 0);
  NdisMAllocateSharedMemoryAsync(rig.handle, 64, false, 0);
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 2);
  for (const one of rig.nic.completions) assert.equal(one.miniportContext, rig.nic);
});

test("a free that matches nothing frees nothing, least of all the block that happens to be last", async () => {
  const rig = await open();
  const blocks = [64, 4096, 8192].map((length) => rig.nic.allocate(length) as Block);
  const last = blocks[2] as Block;
  for (const stray of [last.VirtualAddress + 8192, last.VirtualAddress - 1, 4096]) {
    assert.throws(() => rig.nic.free({ ...last, VirtualAddress: stray as VirtualAddress }));
  }
  // By physical address alone, as one peer would look it up because of a vendor's driver: not here either.
  assert.throws(() => rig.nic.free({ ...(blocks[0] as Block), PhysicalAddress: last.PhysicalAddress }));
  assert.equal(rig.adapter.liveBlocks, 3);
  check(rig.machine);
  for (const block of blocks) rig.nic.free(block);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("without a completion handler nothing is allocated, so nothing can be lost", async () => {
  const rig = await open({ description: { SharedMemAllocateCompleteHandler: null } });
  refused(rig.machine, "NOT_REGISTERED", () => NdisMAllocateSharedMemoryAsyncEx(rig.dma, 4096, false, 0));
  await rig.machine.run();
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("a failed synchronous allocation writes both outputs", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 28, size: 4096 }] });
  assert.deepEqual(NdisMAllocateSharedMemory(rig.handle, 8192, false), { VirtualAddress: null, PhysicalAddress: 0 });
});

test("a free at DISPATCH_LEVEL needs no memory of its own and loses no block when memory is gone", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 28, size: 8192 }], choices: { freedFrames: "deferred" } });
  const blocks = [rig.nic.allocate(4096) as Block, rig.nic.allocate(4096) as Block];
  rig.nic.atDispatch(() => {
    for (const block of blocks) rig.nic.free(block);
  });
  await rig.machine.run();
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("halt does not cut off a request that the driver waits for", async () => {
  const rig = await open({
    async halt(nic) {
      while (nic.completions.length === 0) await nic.services.sleep(1000);
      nic.freeAll();
      NdisMDeregisterScatterGatherDma(nic.dma as never);
    },
  });
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, 4096, false, 0);
  await rig.machine.halt(rig.adapter);
  assert.equal(rig.nic.completions.length, 1);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("the 64-bit flag is heeded: without it no byte lies at or above 4 GiB, with it blocks may", async () => {
  const narrow = await open({ description: { Flags: 0 } });
  const wide = await open();
  assert.ok((narrow.nic.allocate(4096) as Block).PhysicalAddress < 2 ** 32);
  assert.ok((wide.nic.allocate(4096) as Block).PhysicalAddress >= ((2 ** 32) as NDIS_PHYSICAL_ADDRESS as number));
});

test("ScatterGatherListSize is computed, for both layouts; choice C8", async () => {
  const size = async (MaximumPhysicalMapping: number, sgListLayout: "x64" | "x86"): Promise<number | undefined> => {
    const { nic } = await open({ description: { MaximumPhysicalMapping } }, { choices: { sgListLayout } });
    return nic.description.ScatterGatherListSize;
  };
  assert.equal(await size(1514, "x64"), 64);
  assert.equal(await size(65536, "x64"), 424);
  assert.equal(await size(0, "x64"), 40);
  assert.equal(await size(2 ** 32 - 1, "x64"), 16 + 24 * (2 ** 20 + 1));
  assert.equal(await size(1514, "x86"), 40);
});

test.run();
