/**
 * Ten drivers, each wrong in one way that real drivers are, and what their authors are told. A message must say what was
 * done, where, which rule it breaks, and what is allocated there. docs/wrong-drivers.md quotes these messages, and the
 * last test holds it to them.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import {
  type AdapterHandle,
  DISPATCH_LEVEL,
  describeViolation,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { Machine } from "../../src/index.js";
import { type Block, type DriverParts, makeDriver, type Nic } from "./rig.js";

const told = new Map<string, string>();

/** Run a wrong driver under the default policy and return what it is told first. */
async function lifeOf(
  name: string,
  parts: DriverParts,
  live: (machine: Machine, nic: Nic) => Promise<void> | void,
): Promise<string> {
  const nics: Nic[] = [];
  const machine = await Machine.open({ seed: 1, zones: [{ base: 2 ** 32 + 2 ** 24, size: 2 ** 20 }] });
  try {
    const adapter = await machine.add(await machine.load(makeDriver(parts, nics)), { name: "nic" });
    await live(machine, nics[0] as Nic);
    await machine.run();
    if (adapter.state === "Running") await machine.halt(adapter);
  } catch (error) {
    if ((error as { violation?: unknown }).violation === undefined) throw error;
  }
  const [first] = machine.violations;
  assert.ok(first !== undefined, `${name} was not caught`);
  const message = describeViolation(first);
  told.set(name, message);
  return message;
}

/** What every message must have: the call, the adapter, the level, the step, the rule. */
function says(message: string, ...parts: (string | RegExp)[]): void {
  assert.match(message, /^\w.* on nic at [A-Z]+ \(step \d+\): /);
  assert.match(message, /\n {2}rule \w+$/);
  for (const part of parts) {
    if (typeof part === "string") assert.ok(message.includes(part), `${part}\n${message}`);
    else assert.match(message, part);
  }
}

const keep: DriverParts["complete"] = (nic, completion) => {
  nic.blocks.push({ ...completion, Cached: false } as unknown as Block);
};

test("1 uses the address before it is tested for NULL", async () => {
  const message = await lifeOf(
    "uses the address before it is tested for NULL",
    {
      complete(nic, { VirtualAddress, PhysicalAddress, Length }) {
        NdisMFreeSharedMemory(nic.handle, Length, false, VirtualAddress, PhysicalAddress as NDIS_PHYSICAL_ADDRESS);
      },
    },
    (machine, nic) => {
      machine.inject([{ at: "service", nth: 1 }]);
      NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, 1554, false, null);
    },
  );
  says(message, "NdisMFreeSharedMemory", "VirtualAddress is NULL", "rule NullCheck");
});

test("2 frees the address that it aligned by hand", async () => {
  const message = await lifeOf("frees the address that it aligned by hand", {}, (_machine, nic) => {
    const block = nic.allocate(2400 + 256) as Block;
    nic.blocks.length = 0;
    const aligned = (block.VirtualAddress + 16) as VirtualAddress;
    NdisMFreeSharedMemory(nic.handle, block.Length, false, aligned, block.PhysicalAddress);
  });
  says(
    message,
    "16 bytes inside the block at",
    "0x7C BUGCODE_NDIS_DRIVER (0x3",
    "Allocated at step",
    "by NdisMAllocateSharedMemory",
  );
});

test("3 computes the length again for the free", async () => {
  const message = await lifeOf("computes the length again for the free", {}, (_machine, nic) => {
    const block = nic.allocate(32 * (1514 + 64)) as Block;
    nic.free({ ...block, Length: 32 * 1514 });
  });
  says(message, "Length: given 48448 bytes, allocated 50496 bytes", "rule FreeMatchesAllocation");
});

test("4 frees in MiniportShutdownEx", async () => {
  const message = await lifeOf(
    "frees in MiniportShutdownEx",
    { characteristics: { ShutdownHandlerEx: (nic) => (nic as Nic).freeAll() } },
    (machine, nic) => {
      nic.allocate(4096);
      machine.shutdown(machine.adapters[0] as never);
    },
  );
  says(message, "must not be called in MiniportShutdownEx", "It belongs to nic", "rule NdisMFreeSharedMemory");
});

test("5 forgets a pending request at halt", async () => {
  const message = await lifeOf(
    "forgets a pending request at halt",
    { halt: (nic) => NdisMDeregisterScatterGatherDma(nic.dma as never) },
    async (machine, nic) => {
      NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, 1554, false, null);
      await machine.halt(machine.adapters[0] as never);
    },
  );
  says(
    message,
    /1 asynchronous request still pending: #1 \(1554 bytes, asked at step \d+\)/,
    "rule NothingPendingAtRelease",
  );
});

test("6 swaps handles past the type system", async () => {
  const message = await lifeOf("swaps handles past the type system", {}, (_machine, nic) => {
    const block = nic.allocate(4096) as Block;
    const wrong = nic.dma as unknown as AdapterHandle;
    NdisMFreeSharedMemory(wrong, block.Length, false, block.VirtualAddress, block.PhysicalAddress);
  });
  says(message, "wants a miniport adapter handle and was given a miniport DMA handle", "rule HandleKind");
});

test("7 drops the high half of the physical address", async () => {
  const message = await lifeOf("drops the high half of the physical address", {}, (_machine, nic) => {
    const block = nic.allocate(4096) as Block;
    nic.free({ ...block, PhysicalAddress: (block.PhysicalAddress % 2 ** 32) as NDIS_PHYSICAL_ADDRESS });
  });
  says(message, "the high half of PhysicalAddress was dropped", /PhysicalAddress: given 0x\w+, allocated 0x1\w{8}/);
});

test("8 frees twice on its error path", async () => {
  const message = await lifeOf(
    "frees twice on its error path",
    {
      initialize(nic) {
        const ring = nic.allocate(10_240) as Block;
        if (nic.allocate(2 ** 21) === null) {
          nic.free(ring);
          nic.free(ring);
        }
        return NDIS_STATUS_SUCCESS;
      },
    },
    () => {},
  );
  says(
    message,
    "has already been freed",
    /Allocated at step \d+ by NdisMAllocateSharedMemory, freed at step \d+ by NdisMFreeSharedMemory/,
  );
});

test("9 allocates synchronously at DISPATCH_LEVEL", async () => {
  const message = await lifeOf("allocates synchronously at DISPATCH_LEVEL", {}, (_machine, nic) => {
    const before = nic.services.raiseIrql(DISPATCH_LEVEL);
    try {
      NdisMAllocateSharedMemory(nic.handle, 1554, false);
    } finally {
      nic.services.lowerIrql(before);
    }
  });
  says(
    message,
    "may be called at PASSIVE_LEVEL only, not at DISPATCH",
    "0x7C BUGCODE_NDIS_DRIVER (0x1, 0x1, 0x612, 0x2), as documented",
  );
});

test("10 frees in the wrong adapter's halt", async () => {
  const nics: Nic[] = [];
  const machine = await Machine.open({ seed: 1 });
  const driver = await machine.load(
    makeDriver(
      {
        halt(nic) {
          // A list that all adapters of the driver share.
          for (const one of nics) for (const block of [...one.blocks]) nic.free(block);
          NdisMDeregisterScatterGatherDma(nic.dma as never);
        },
      },
      nics,
    ),
  );
  const first = await machine.add(driver, { name: "nic" });
  await machine.add(driver, { name: "other nic" });
  (nics[1] as Nic).allocate(4096);
  await assert.rejects(machine.halt(first), { code: "WRONG_OWNER" });
  const message = describeViolation(machine.violations[0] as never);
  told.set("frees in the wrong adapter's halt", message);
  says(message, "given nic (adapter 1), allocated other nic (adapter 2)", "It belongs to other nic");
});

test("a driver that keeps its blocks is told where each was allocated, and a right one is told nothing", async () => {
  const leaky = await lifeOf("keeps its blocks", { halt() {}, complete: keep }, async (machine, nic) => {
    NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, 1554, false, null);
    await machine.run();
  });
  says(
    leaky,
    "MiniportHaltEx returned with 1 block of 1554 bytes",
    /1554 bytes, allocated at step \d+ by MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE/,
  );
  const machine = await Machine.open({ seed: 1 });
  const nics: Nic[] = [];
  const adapter = await machine.add(await machine.load(makeDriver({}, nics)));
  NdisMAllocateSharedMemoryAsyncEx((nics[0] as Nic).dma as never, 1554, false, null);
  await machine.run();
  await machine.halt(adapter);
  assert.deepEqual(machine.violations, []);
});

const HEAD = `# Wrong drivers, and what they are told

Each of these drivers breaks one rule that authors of real drivers break. What follows is the text of the error that the
call throws (and of the record in \`machine.violations\`): what was done, by which routine, on which adapter, at which level
and step of the event log; what does not match; what is known of the address; the bug check that Windows would raise where
there is one; the rule. Written by \`UPDATE_DOCS=1 node test/run.mjs ndis/wrong\`, checked by the same test without it.
`;

test("docs/wrong-drivers.md quotes these messages word for word", () => {
  const sections = [...told].map(([name, message]) => `\n## The driver ${name}\n\n\`\`\`text\n${message}\n\`\`\`\n`);
  const page = `${HEAD}${sections.join("")}`;
  if (process.env.UPDATE_DOCS === "1") writeFileSync("docs/wrong-drivers.md", page);
  assert.equal(told.size, 11);
  assert.equal(readFileSync("docs/wrong-drivers.md", "utf8"), page);
});

test.run();
