/** `explain`: owner, state, order, where allocated and freed, neighbours; and every error about an address carries it. */
import assert from "node:assert/strict";
import { test } from "uvu";
import { addToVirtual, NdisMAllocateSharedMemoryAsyncEx, type VirtualAddress } from "../../bindings/ndis/index.js";
import { Machine } from "../../src/index.js";
import { type Block, makeDriver, type Nic, open, refused } from "./rig.js";

const SMALL = { zones: [{ base: 2 ** 28, size: 2 ** 18 }] };

test("a live block: owner, flag, order, offset, step and routine, neighbours", async () => {
  const machine = await Machine.open(SMALL);
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({}, nics));
  await machine.add(driver, { name: "left" });
  await machine.add(driver, { name: "right" });
  const [left, right] = nics as [Nic, Nic];
  const blocks = [left.allocate(4096) as Block, right.allocate(8192, true) as Block, left.allocate(4096) as Block];
  const middle = blocks[1] as Block;
  const known = machine.explain((middle.VirtualAddress + 100) as VirtualAddress);
  assert.equal(known.state, "live");
  assert.equal(known.adapter, "right");
  assert.equal(known.cached, true);
  assert.equal(known.offset, 100);
  assert.equal(known.block?.lengthBytes, 8192);
  assert.ok((known.block?.order ?? -1) >= 1);
  assert.equal(known.allocatedAt?.call, "NdisMAllocateSharedMemory");
  const lines = machine.log.filter((text) => text.startsWith(`${known.allocatedAt?.step} `));
  assert.match(lines.join("\n"), /NdisMAllocateSharedMemory 8192 cached/, "the step leads to the line of the log");
  const beside = [known.neighbours?.before, known.neighbours?.after].filter((one) => one?.state === "live");
  assert.ok(beside.length > 0);
  for (const one of beside) assert.equal(one?.adapter, "left");
  assert.match(known.text, /It belongs to right, cached\./);
});

test("a freed block: who had it, where it was allocated and freed", async () => {
  const { machine, nic, dma } = await open({}, SMALL);
  NdisMAllocateSharedMemoryAsyncEx(dma, 1554, false, 0);
  await machine.run();
  const [block] = nic.blocks as [Block];
  nic.free(block);
  const known = machine.explain(block.VirtualAddress);
  assert.equal(known.state, "freed");
  assert.equal(known.adapter, "rig");
  assert.equal(known.allocatedAt?.call, "MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE");
  assert.equal(known.freedAt?.call, "NdisMFreeSharedMemory");
  assert.match(
    known.text,
    /It last belonged to rig\. Allocated at step \d+ by .*, freed at step \d+ by NdisMFreeSharedMemory\./,
  );
});

test("memory that nobody had, and no memory at all", async () => {
  const { machine, nic } = await open({}, SMALL);
  const block = nic.allocate(4096) as Block;
  assert.equal(machine.explain((block.VirtualAddress + 2 ** 17) as VirtualAddress).state, "free");
  assert.equal(machine.explain(4096 as VirtualAddress).state, "unmapped");
  assert.equal(machine.explain(Number.NaN as VirtualAddress).state, "unmapped");
});

test("a block that was served and not delivered says so", async () => {
  const { machine, dma } = await open({}, { ...SMALL, schedule: "manual" });
  NdisMAllocateSharedMemoryAsyncEx(dma, 4096, false, 0);
  machine.serve();
  const { served } = machine.environment.dispatcher.ring;
  assert.equal(served, 1);
  const { virtual } = machine.environment.dispatcher.ring.servedAt(0);
  assert.match(machine.explain(virtual as VirtualAddress).text, /completion has not been delivered yet/);
});

for (const memoryTaken of ["served", "accepted"] as const) {
  test(`memory taken when ${memoryTaken}: no byte of a block is the driver's before its completion`, async () => {
    const { machine, nic, dma } = await open({}, { ...SMALL, schedule: "manual", choices: { memoryTaken } });
    const mine = nic.allocate(4096) as Block;
    NdisMAllocateSharedMemoryAsyncEx(dma, 6000, false, 0);
    const { ring } = machine.environment.dispatcher;
    if (memoryTaken === "served") machine.serve();
    const { virtual } = memoryTaken === "served" ? ring.servedAt(0) : ring.pendingAt(0);
    const untold = virtual as VirtualAddress;
    assert.notEqual(untold, 0);
    for (const ahead of [0, 1, 4096, 5996]) {
      const there = addToVirtual(untold, ahead);
      for (const touch of [
        () => nic.services.readU32(there),
        () => nic.services.writeU32(there, 7),
        () => nic.services.readU16(there),
        () => nic.services.writeU16(there, 7),
        () => nic.services.bytes(there, 4),
      ]) {
        assert.throws(touch, { code: "TRANSLATION_FAULT", value: there, unit: "address" });
      }
    }
    nic.services.writeU32(mine.VirtualAddress, 0xf2345678);
    nic.services.writeU16(addToVirtual(mine.VirtualAddress, 5), 0x1fe01);
    assert.equal(nic.services.readU32(mine.VirtualAddress), 0xf2345678);
    assert.equal(nic.services.readU16(addToVirtual(mine.VirtualAddress, 5)), 0xfe01);
    const bytes = [...nic.services.bytes(mine.VirtualAddress, 8)];
    assert.deepEqual(bytes, [0x78, 0x56, 0x34, 0xf2, 0xcd, 0x01, 0xfe, 0xcd]);
    if (memoryTaken === "accepted") machine.serve();
    machine.deliver();
    const given = nic.completions[0]?.VirtualAddress as VirtualAddress;
    assert.equal(given, untold);
    assert.equal(nic.services.readU32(addToVirtual(given, 5996)), 0xcdcdcdcd, "nothing was written");
    assert.equal(nic.services.readU32(given), 0xcdcdcdcd, "nothing was written");
  });
}

test("with `sites` the stacks are kept: of the allocation, the free and the violation", async () => {
  const { machine, nic } = await open({}, { ...SMALL, sites: true });
  const block = nic.allocate(4096) as Block;
  assert.match(machine.explain(block.VirtualAddress).allocatedAt?.site ?? "", /explain\.test/);
  const error = refused(machine, "LENGTH_MISMATCH", () => nic.free({ ...block, Length: 1 }));
  assert.match(error.violation.site ?? "", /explain\.test/);
  nic.free(block);
  assert.match(machine.explain(block.VirtualAddress).freedAt?.site ?? "", /explain\.test/);
});

test("without a log, sites or guard no history is kept, and the core's part is still told", async () => {
  const { machine, nic } = await open({}, { ...SMALL, log: "off" });
  const block = nic.allocate(4096) as Block;
  const known = machine.explain(block.VirtualAddress);
  assert.equal(known.allocatedAt, undefined);
  assert.equal(known.adapter, "rig");
});

test("every refusal about an address carries its explanation", async () => {
  const { machine, nic } = await open({}, SMALL);
  const block = nic.allocate(8192) as Block;
  for (const [code, wrong] of [
    ["INTERIOR_ADDRESS", { ...block, VirtualAddress: (block.VirtualAddress + 8) as VirtualAddress }],
    ["LENGTH_MISMATCH", { ...block, Length: 8191 }],
    ["NEVER_ALLOCATED", { ...block, VirtualAddress: (block.VirtualAddress + 2 ** 17) as VirtualAddress }],
    ["FOREIGN_ADDRESS", { ...block, VirtualAddress: 4096 as VirtualAddress }],
  ] as const) {
    const error = refused(machine, code, () => nic.free(wrong));
    const explained = error.explain as { address: number; text: string };
    assert.equal(
      explained.address,
      wrong.VirtualAddress === block.VirtualAddress ? block.VirtualAddress : wrong.VirtualAddress,
    );
    assert.ok(explained.text.length > 10);
  }
});

test.run();
