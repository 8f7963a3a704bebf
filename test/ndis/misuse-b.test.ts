/** Catalogue group B: free with the wrong arguments, through NdisMFreeSharedMemory. Nothing changes on any refusal. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  deviceLevel,
  type NDIS_PHYSICAL_ADDRESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMFreeSharedMemory,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { Machine } from "../../src/index.js";
import { type Block, check, makeDriver, type Nic, open, type Rig, refused } from "./rig.js";

const SMALL = { zones: [{ base: 2 ** 28, size: 2 ** 20 }] };

function at(block: Block, offset: number): Block {
  return { ...block, VirtualAddress: (block.VirtualAddress + offset) as VirtualAddress };
}

async function two(): Promise<{ machine: Machine; nics: [Nic, Nic] }> {
  const machine = await Machine.open(SMALL);
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({}, nics));
  await machine.add(driver, { name: "first" });
  await machine.add(driver, { name: "second" });
  return { machine, nics: nics as [Nic, Nic] };
}

/** Everything that a refusal must leave as it was, beside the digests: the block is still live and can be freed. */
function stillThere(rig: Rig, block: Block): void {
  assert.equal(rig.machine.core.lengthOf(block.VirtualAddress), block.Length);
  rig.nic.free(block);
  check(rig.machine);
}

test("misuse B01: double free, the neighbour still allocated", async () => {
  const { machine, nic } = await open({}, SMALL);
  const [a] = [nic.allocate(4096) as Block, nic.allocate(4096)];
  nic.free(a);
  const error = refused(machine, "ALREADY_FREED", () => nic.free(a));
  assert.equal(error.bugCheck?.code, 0x7c);
  assert.match(
    error.message,
    /Allocated at step \d+ by NdisMAllocateSharedMemory, freed at step \d+ by NdisMFreeSharedMemory/,
  );
});

test("misuse B02: double free after the block merged with its buddy", async () => {
  const { machine, nic } = await open({}, SMALL);
  const [a, b] = [nic.allocate(4096) as Block, nic.allocate(4096) as Block];
  nic.free(a);
  nic.free(b);
  machine.core.flush();
  refused(machine, "ALREADY_FREED", () => nic.free(a));
  refused(machine, "ALREADY_FREED", () => nic.free(b));
});

test("misuse B03: double free after the merged parent was handed out as one larger block", async () => {
  const { machine, nic } = await open({}, SMALL);
  const blocks = Array.from({ length: 256 }, () => nic.allocate(4096) as Block);
  for (const block of blocks) nic.free(block);
  const whole = nic.allocate(2 ** 20) as Block;
  nic.services.bytes(whole.VirtualAddress, 2 ** 20).fill(0x5a);
  for (const block of [blocks[0], blocks[1], blocks[255]] as Block[]) {
    // The first page is the start of the new block, so there it is the length that gives the stale free away.
    const code = block.VirtualAddress === whole.VirtualAddress ? "LENGTH_MISMATCH" : "INTERIOR_ADDRESS";
    refused(machine, code, () => nic.free(block));
  }
  assert.ok(nic.services.bytes(whole.VirtualAddress, 2 ** 20).every((byte) => byte === 0x5a));
});

test("misuse B05: free of start + 1, + 8, + a page, and of the last byte", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(8192) as Block;
  for (const offset of [1, 8, 4096, 8191]) {
    const error = refused(rig.machine, "INTERIOR_ADDRESS", () => rig.nic.free(at(block, offset)));
    assert.match(
      error.message,
      new RegExp(`${offset} bytes inside the block at 0x${block.VirtualAddress.toString(16)}`),
    );
  }
  stillThere(rig, block);
});

test("misuse B06: free of an address in the arena that was never handed out", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  for (const offset of [64 * 4096, 65 * 4096])
    refused(rig.machine, "NEVER_ALLOCATED", () => rig.nic.free(at(block, offset)));
  stillThere(rig, block);
});

test("misuse B07: free of NULL, 0, the last address, one past the end", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  refused(rig.machine, "INVALID_ARGUMENT", () => rig.nic.free({ ...block, VirtualAddress: null as never }));
  refused(rig.machine, "INVALID_ARGUMENT", () => rig.nic.free({ ...block, VirtualAddress: 0 as never }));
  for (const address of [2 ** 52 - 1, 2 ** 46 + 2 ** 28 + 2 ** 20, 4096]) {
    refused(rig.machine, "FOREIGN_ADDRESS", () => rig.nic.free({ ...block, VirtualAddress: address as never }));
  }
  stillThere(rig, block);
});

test("misuse B08: free with another length: a byte, a frame, half, double, none", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(5000) as Block;
  for (const Length of [4999, 5001, 4096, 8192, 2500, 10_000, 0, 1, 2 ** 32]) {
    const error = refused(rig.machine, "LENGTH_MISMATCH", () => rig.nic.free({ ...block, Length }));
    assert.deepEqual(error.mismatches, [{ field: "Length", given: Length, expected: 5000, unit: "bytes" }]);
  }
  stillThere(rig, block);
});

test("misuse B09: free of a leading and of a trailing part", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(8192) as Block;
  refused(rig.machine, "LENGTH_MISMATCH", () => rig.nic.free({ ...block, Length: 4096 }));
  refused(rig.machine, "INTERIOR_ADDRESS", () => rig.nic.free({ ...at(block, 4096), Length: 4096 }));
  stillThere(rig, block);
});

test("misuse B10: free with another block's physical address, one off, one page off, 0, or without its high half", async () => {
  const rig = await open();
  const block = rig.nic.allocate(4096) as Block;
  const other = rig.nic.allocate(4096) as Block;
  const physicals = [other.PhysicalAddress, block.PhysicalAddress + 1, block.PhysicalAddress + 4096, 0];
  for (const PhysicalAddress of physicals as NDIS_PHYSICAL_ADDRESS[]) {
    const error = refused(rig.machine, "PHYSICAL_MISMATCH", () => rig.nic.free({ ...block, PhysicalAddress }));
    assert.deepEqual(error.mismatches?.[0]?.given, PhysicalAddress);
    assert.deepEqual(error.mismatches?.[0]?.expected, block.PhysicalAddress);
  }
  const low = (block.PhysicalAddress % 2 ** 32) as NDIS_PHYSICAL_ADDRESS;
  assert.notEqual(low, block.PhysicalAddress, "the default machine has memory above 4 GiB");
  const error = refused(rig.machine, "PHYSICAL_MISMATCH", () => rig.nic.free({ ...block, PhysicalAddress: low }));
  assert.match(error.message, /the high half of PhysicalAddress was dropped/);
  stillThere(rig, block);
});

test("misuse B11: free with virtual and physical address exchanged", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  const exchanged = {
    ...block,
    VirtualAddress: block.PhysicalAddress as unknown as VirtualAddress,
    PhysicalAddress: block.VirtualAddress as unknown as NDIS_PHYSICAL_ADDRESS,
  };
  const error = refused(rig.machine, "FOREIGN_ADDRESS", () => rig.nic.free(exchanged));
  assert.match(error.message, /look exchanged/);
  stillThere(rig, block);
});

test("misuse B12: free with another cached flag: refused, or a warning under choice C27", async () => {
  const strict = await open({}, SMALL);
  const block = strict.nic.allocate(4096, true) as Block;
  refused(strict.machine, "CACHED_MISMATCH", () => strict.nic.free({ ...block, Cached: false }));
  stillThere(strict, block);
  const relaxed = await open({}, { ...SMALL, choices: { cachedMismatch: "warn" } });
  const other = relaxed.nic.allocate(4096, true) as Block;
  relaxed.nic.free({ ...other, Cached: false });
  assert.equal(relaxed.machine.warnings.at(-1)?.code, "CACHED_MISMATCH");
  assert.equal(relaxed.adapter.liveBlocks, 0);
  refused(relaxed.machine, "ALREADY_FREED", () => relaxed.nic.free(other));
});

test("misuse B13: several wrong fields are listed together, in the order of the parameters", async () => {
  const { machine, nics } = await two();
  const block = nics[0].allocate(8192) as Block;
  const wrong = { ...block, Length: 1, Cached: true, PhysicalAddress: 12 as NDIS_PHYSICAL_ADDRESS };
  const error = refused(machine, "WRONG_OWNER", () => nics[1].free(wrong));
  assert.deepEqual(
    error.mismatches?.map((one) => one.field),
    ["MiniportAdapterHandle", "Length", "Cached", "PhysicalAddress"],
  );
  const own = refused(machine, "LENGTH_MISMATCH", () => nics[0].free(wrong));
  assert.deepEqual(
    own.mismatches?.map((one) => one.field),
    ["Length", "Cached", "PhysicalAddress"],
  );
});

test("misuse B14: a block of one adapter freed through another", async () => {
  const { machine, nics } = await two();
  const block = nics[0].allocate(4096) as Block;
  const error = refused(machine, "WRONG_OWNER", () => nics[1].free(block));
  assert.match(error.message, /given second \(adapter 2\), allocated first \(adapter 1\)/);
  nics[0].free(block);
});

test("misuse B15: a block of one machine freed in another with the same addresses", async () => {
  const [one, other] = [await open({}, SMALL), await open({}, SMALL)];
  const block = one.nic.allocate(4096) as Block;
  // With plain addresses all that the other machine can know is that nothing was allocated there.
  refused(other.machine, "NEVER_ALLOCATED", () => other.nic.free(block));
  stillThere(one, block);
});

test("misuse B16: one free serves synchronous and asynchronous blocks", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(1554) as Block;
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, 1554, false, null);
  await rig.machine.run();
  rig.nic.freeAll();
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  refused(rig.machine, "ALREADY_FREED", () => rig.nic.free(block));
});

test("misuse B17: free with a released handle, NULL, a handle of another kind, an imitation, another machine's handle", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  const free = (handle: unknown) => () =>
    NdisMFreeSharedMemory(handle as never, block.Length, block.Cached, block.VirtualAddress, block.PhysicalAddress);
  const nothing = refused(rig.machine, "NULL_ADAPTER", free(null));
  assert.deepEqual(nothing.bugCheck, { code: 0xe6, parameters: [0x19, 0, 0, 0] });
  refused(rig.machine, "NULL_ADAPTER", free(undefined));
  const wrong = refused(rig.machine, "WRONG_HANDLE", free(rig.dma));
  assert.match(wrong.message, /wants a miniport adapter handle and was given a miniport DMA handle/);
  for (const imitation of [{}, { record: rig.adapter.record }, Object.create(rig.handle), 1, "handle", () => 1]) {
    refused(rig.machine, "INVALID_ARGUMENT", free(imitation));
  }
  let foreign: unknown;
  const other = await open(
    {
      complete() {
        try {
          free(rig.handle)();
        } catch (error) {
          foreign = error;
        }
      },
    },
    SMALL,
  );
  NdisMAllocateSharedMemoryAsyncEx(other.dma, 100, false, null);
  await other.machine.run();
  assert.equal((foreign as { code: string }).code, "WRONG_OWNER");
  assert.equal(rig.adapter.liveBlocks, 1);
  rig.nic.free(block);
  await rig.machine.halt(rig.adapter);
  const gone = refused(rig.machine, "ADAPTER_GONE", free(rig.handle));
  assert.deepEqual(gone.bugCheck, { code: 0xe6, parameters: [0x18, 1, 0, 0] });
});

test("misuse B20: free in MiniportShutdownEx and after it", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  rig.machine.shutdown(rig.adapter);
  const error = refused(rig.machine, "WRONG_CONTEXT", () => rig.nic.free(block));
  assert.equal(error.violation.rule, "NdisMFreeSharedMemory");
});

test("misuse B21: free above DISPATCH_LEVEL, synchronous allocation above PASSIVE_LEVEL, AsyncEx above DISPATCH_LEVEL", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  const { services } = rig.nic;
  const atDevice = (act: () => void) => () => {
    const before = services.raiseIrql(deviceLevel(5));
    try {
      act();
    } finally {
      services.lowerIrql(before);
    }
  };
  const free = refused(
    rig.machine,
    "WRONG_IRQL",
    atDevice(() => rig.nic.free(block)),
  );
  assert.deepEqual(free.bugCheck, { code: 0xe6, parameters: [0x13, 2, 2, 5] });
  assert.equal(free.violation.rule, "Irql_Miniport_Driver_Function");
  const async = refused(
    rig.machine,
    "WRONG_IRQL",
    atDevice(() => NdisMAllocateSharedMemoryAsyncEx(rig.dma, 1, false, 0)),
  );
  assert.deepEqual(async.bugCheck, { code: 0xe6, parameters: [0x13, 2, 2, 5] });
  assert.equal(async.violation.rule, "Irql_Gather_DMA_Function");
  const sync = refused(
    rig.machine,
    "WRONG_IRQL",
    atDevice(() => NdisMAllocateSharedMemory(rig.handle, 77, false)),
  );
  assert.deepEqual(sync.bugCheck, { code: 0x7c, parameters: [0x01, 1, 77, 5] });
  stillThere(rig, block);
});

test("misuse B22: a size query on each bad address is classified as its free is, and never answers an old size", async () => {
  const rig = await open({}, SMALL);
  const [freed, live] = [rig.nic.allocate(4096) as Block, rig.nic.allocate(8192) as Block];
  rig.nic.free(freed);
  const code = (address: number): string => {
    try {
      return String(rig.machine.core.lengthOf(address as VirtualAddress));
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  assert.equal(code(live.VirtualAddress), "8192");
  assert.equal(code(freed.VirtualAddress), "ALREADY_FREED");
  assert.equal(code(live.VirtualAddress + 1), "INTERIOR_ADDRESS");
  assert.equal(code(live.VirtualAddress + 64 * 4096), "NEVER_ALLOCATED");
  assert.equal(code(4096), "FOREIGN_ADDRESS");
  assert.equal(code(0), "INVALID_ARGUMENT");
});

test("the three policies find the same things; choice C31", async () => {
  const misuse = (nic: Nic): void => {
    const block = nic.allocate(4096) as Block;
    for (const bad of [{ ...block, Length: 1 }, { ...block, Cached: true }, at(block, 4)]) {
      try {
        nic.free(bad);
      } catch {
        // What was thrown is what was recorded; the records are compared below.
      }
    }
  };
  const codes = async (policy: "throw" | "collect"): Promise<string[]> => {
    const { machine, nic } = await open({}, { ...SMALL, choices: { policy } });
    misuse(nic);
    return machine.violations.map((one) => one.code);
  };
  assert.deepEqual(await codes("throw"), ["LENGTH_MISMATCH", "CACHED_MISMATCH", "INTERIOR_ADDRESS"]);
  assert.deepEqual(await codes("collect"), await codes("throw"));
  const heard: string[] = [];
  const { nic, handle } = await open(
    {},
    { ...SMALL, choices: { policy: "break" }, onBugCheck: (violation) => heard.push(violation.code) },
  );
  misuse(nic);
  assert.deepEqual(heard, ["LENGTH_MISMATCH"], "Windows stops at the first");
  assert.throws(() => NdisMAllocateSharedMemory(handle, 1, false), { code: "STATE_CORRUPT" });
});

test.run();
