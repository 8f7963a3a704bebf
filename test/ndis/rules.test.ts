/**
 * Every rule by its name: what breaks it, with which code, as which bug check, and that the page lists it.
 *
 * Rules that need a driver of their own are provoked elsewhere; `ELSEWHERE` names the file, which must name the rule.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import {
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisAllocateSharedMemory,
  NdisMAllocateNetBufferSGList,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeNetBufferSGList,
  NdisMFreeSharedMemory,
  NdisMGetDmaAlignment,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  NdisSharedMemoryUsageOther,
  type NET_BUFFER,
  type PVOID,
  type SCATTER_GATHER_LIST,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import type { MachineOptions } from "../../src/index.js";
import {
  ATTRIBUTES,
  type Block,
  type DriverParts,
  type Nic,
  open,
  type Rig,
  refused,
  sharedMemoryParameters,
} from "./rig.js";

interface Case {
  readonly rule: string;
  readonly code: string;
  /** Code and first parameter. */
  readonly bugCheck?: readonly [number, number];
  readonly documented?: boolean;
  readonly parts?: DriverParts;
  readonly options?: MachineOptions;
  /** What goes before, allowed. Returns what `act` needs. */
  readonly before?: (rig: Rig) => unknown;
  readonly act: (rig: Rig, prepared: never) => unknown;
}

const lists: SCATTER_GATHER_LIST[] = [];
const WITH_LISTS: DriverParts = {
  description: { ProcessSGListHandler: (_pDO, _Reserved, list) => void lists.push(list) },
};

function bufferOver(block: Block): NET_BUFFER {
  const CurrentMdl = { MappedSystemVa: block.VirtualAddress, ByteCount: block.Length, Next: null };
  return { CurrentMdl, CurrentMdlOffset: 0, DataLength: block.Length };
}

function free(rig: Rig, block: Block, changes: Partial<Block> = {}): void {
  const { Length, Cached, VirtualAddress, PhysicalAddress } = { ...block, ...changes };
  NdisMFreeSharedMemory(rig.handle, Length, Cached, VirtualAddress, PhysicalAddress);
}

const allocate = (rig: Rig): Block => rig.nic.allocate(4096) as Block;
const ask = (rig: Rig, length: unknown = 64): unknown =>
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, length as number, false, 0);

const CASES: readonly Case[] = [
  {
    rule: "Irql_Gather_DMA_Function",
    code: "WRONG_IRQL",
    bugCheck: [0xe6, 0x13],
    act: (rig) => rig.nic.atDispatch(() => NdisMRegisterScatterGatherDma(rig.handle, rig.nic.description)),
  },
  {
    rule: "Irql_Miniport_Driver_Function",
    code: "WRONG_IRQL",
    bugCheck: [0xe6, 0x13],
    act: (rig) => rig.nic.atDispatch(() => NdisMSetMiniportAttributes(rig.handle, { Header: ATTRIBUTES } as never)),
  },
  {
    rule: "NdisMFreeSharedMemory",
    code: "WRONG_CONTEXT",
    documented: true,
    before: (rig) => {
      const block = allocate(rig);
      rig.machine.shutdown(rig.adapter);
      return block;
    },
    act: (rig, block: Block) => free(rig, block),
  },
  {
    rule: "NothingInShutdown",
    code: "WRONG_CONTEXT",
    before: (rig) => rig.machine.shutdown(rig.adapter),
    act: (rig) => ask(rig),
  },
  {
    rule: "NullCheck",
    code: "INVALID_ARGUMENT",
    documented: true,
    act: (rig) => NdisMFreeSharedMemory(rig.handle, 4096, false, null as PVOID, 0 as never),
  },
  {
    rule: "NullCheck",
    code: "NULL_ADAPTER",
    bugCheck: [0xe6, 0x19],
    act: () => NdisMGetDmaAlignment(null as never),
  },
  {
    rule: "HandleKind",
    code: "WRONG_HANDLE",
    act: (rig) => NdisMAllocateSharedMemory(rig.dma as never, 4096, false),
  },
  {
    rule: "HandleIsLive",
    code: "ADAPTER_GONE",
    bugCheck: [0xe6, 0x18],
    options: { choices: { deregistrationOutside: "allow" } },
    before: (rig) => NdisMDeregisterScatterGatherDma(rig.dma),
    act: (rig) => ask(rig),
  },
  {
    rule: "ObjectHeader",
    code: "INVALID_ARGUMENT",
    bugCheck: [0x7c, 0x21],
    documented: true,
    act: (rig) =>
      NdisMRegisterScatterGatherDma(rig.handle, {
        ...rig.nic.description,
        Header: { Type: 0x80, Revision: 1, Size: 36 },
      }),
  },
  {
    rule: "AttributesInInitialize",
    code: "WRONG_CONTEXT",
    act: (rig) =>
      NdisMSetMiniportAttributes(rig.handle, { Header: ATTRIBUTES, MiniportAdapterContext: 0, AttributeFlags: 0x40 }),
  },
  {
    rule: "RegisterDmaInInitialize",
    code: "WRONG_CONTEXT",
    options: { choices: { registrationAfterInitialize: "violation" } },
    act: (rig) => NdisMRegisterScatterGatherDma(rig.handle, rig.nic.description),
  },
  {
    rule: "DeregisterDmaInHalt",
    code: "WRONG_CONTEXT",
    act: (rig) => NdisMDeregisterScatterGatherDma(rig.dma),
  },
  {
    rule: "RegisterBeforeUse",
    code: "NOT_REGISTERED",
    documented: true,
    parts: { register: false },
    act: (rig) => rig.nic.allocate(64),
  },
  {
    rule: "AllocateInInitialize",
    code: "WRONG_CONTEXT",
    documented: true,
    options: { choices: { synchronousAfterInitialize: "violation" } },
    act: (rig) => rig.nic.allocate(64),
  },
  {
    rule: "HandlerIsRegistered",
    code: "NOT_REGISTERED",
    parts: { description: { SharedMemAllocateCompleteHandler: null } },
    act: (rig) => ask(rig),
  },
  { rule: "ArgumentsAreValid", code: "INVALID_ARGUMENT", act: (rig) => ask(rig, 1.5) },
  { rule: "LengthIsPositive", code: "INVALID_ARGUMENT", bugCheck: [0xe6, 0x21], act: (rig) => ask(rig, 0) },
  {
    rule: "FreeOfLiveBlock",
    code: "NEVER_ALLOCATED",
    bugCheck: [0x7c, 0x03],
    documented: true,
    before: allocate,
    act: (rig, block: Block) =>
      free(rig, block, { VirtualAddress: (block.VirtualAddress + 2 ** 16) as VirtualAddress }),
  },
  {
    rule: "FreeMatchesAllocation",
    code: "LENGTH_MISMATCH",
    before: allocate,
    act: (rig, block: Block) => free(rig, block, { Length: 4095 }),
  },
  {
    rule: "FreeByTheCallOfTheAllocation",
    code: "WRONG_HANDLE",
    before: (rig) => {
      const given = sharedMemoryParameters(4096, { Usage: NdisSharedMemoryUsageOther });
      assert.equal(NdisAllocateSharedMemory(rig.handle, given as never).Status, NDIS_STATUS_SUCCESS);
      return given;
    },
    act: (rig, given: { VirtualAddress: VirtualAddress; SGListBuffer: { Elements: { Address: number }[] } }) =>
      NdisMFreeSharedMemory(
        rig.handle,
        4096,
        false,
        given.VirtualAddress,
        given.SGListBuffer.Elements[0]?.Address as never,
      ),
  },
  {
    rule: "FreeOfLiveList",
    code: "ALREADY_FREED",
    bugCheck: [0xe6, 0x06],
    parts: WITH_LISTS,
    before: allocate,
    act: (rig, block: Block) =>
      rig.nic.atDispatch(() =>
        NdisMFreeNetBufferSGList(rig.dma, { NumberOfElements: 0, Elements: [] }, bufferOver(block)),
      ),
  },
  {
    rule: "ListMatchesBuffer",
    code: "WRONG_OWNER",
    parts: WITH_LISTS,
    before: (rig) => {
      const buffer = bufferOver(allocate(rig));
      lists.length = 0;
      const status = rig.nic.atDispatch(() => NdisMAllocateNetBufferSGList(rig.dma, buffer, 0, 0));
      assert.equal(status, NDIS_STATUS_SUCCESS);
      return { ...buffer };
    },
    act: (rig, other: NET_BUFFER) =>
      rig.nic.atDispatch(() => NdisMFreeNetBufferSGList(rig.dma, lists[0] as SCATTER_GATHER_LIST, other)),
  },
  {
    rule: "DataIsMapped",
    code: "TRANSLATION_FAULT",
    parts: WITH_LISTS,
    act: (rig) => {
      const nowhere = { VirtualAddress: (2 ** 44) as VirtualAddress, Length: 64 } as Block;
      return rig.nic.atDispatch(() => NdisMAllocateNetBufferSGList(rig.dma, bufferOver(nowhere), 0, 0));
    },
  },
];

/** Provoked where a driver of its own is needed for it: the file says the rule's name. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  BusMasterOnly: "test/ndis/dma-channel.test.ts",
  DeviceReachesMappings: "test/ndis/misuse-d.test.ts",
  DmaChannelIsDeregistered: "test/ndis/dma-channel.test.ts",
  HaltBeforeUnload: "test/machine/machine.test.ts",
  HandlerReturns: "test/machine/levels.test.ts",
  Init_RegisterSG: "test/ndis/conformance.test.ts",
  LevelIsRestored: "test/machine/levels.test.ts",
  NdisMRegisterIoPortRange: "test/ndis/dma-channel.test.ts",
  NoWaitAtDispatch: "test/machine/levels.test.ts",
  DeregisterBeforeUnload: "test/ndis/contract.test.ts",
  HandlerReturnsItsStatus: "test/ndis/contract.test.ts",
  Init_DeRegisterInterrupt: "test/ndis/contract.test.ts",
  Ndis6CallsOnly: "test/ndis/contract.test.ts",
  NoFreeUnderLiveList: "test/ndis/contract.test.ts",
  OptionalHandlersInSetOptions: "test/ndis/contract.test.ts",
  RegisterInDriverEntry: "test/ndis/contract.test.ts",
  TimersAreCancelled: "test/ndis/contract.test.ts",
  TransitionIsPending: "test/ndis/contract.test.ts",
  NothingLiveAtRelease: "test/ndis/misuse-f.test.ts",
  NothingPendingAtRelease: "test/ndis/rules.test.ts",
  WriteErrorLog: "test/ndis/misuse-f.test.ts",
  HandleIsOfThisMachine: "test/ndis/rules.test.ts",
  NoWriteAfterFree: "test/ndis/rules.test.ts",
  WriteInsideBlock: "test/ndis/rules.test.ts",
};

for (const { rule, code, bugCheck, documented = false, parts, options, before, act } of CASES) {
  test(`rule ${rule}: ${code}, and nothing has changed`, async () => {
    const rig = await open(parts, options);
    const prepared = before?.(rig) as never;
    const { violation } = refused(rig.machine, code, () => act(rig, prepared));
    assert.equal(violation.rule, rule);
    assert.equal(violation.basis, documented ? "documented" : "choice");
    assert.deepEqual(
      violation.bugCheck === undefined ? undefined : [violation.bugCheck.code, violation.bugCheck.parameters[0]],
      bugCheck,
    );
    assert.notEqual(violation.call, "");
    // NULL given outside of every callback belongs to no machine: there is an error, and nobody to record it.
    if (code === "NULL_ADAPTER") return;
    assert.ok(violation.step > 0, "when");
    assert.ok(rig.machine.violations.includes(violation));
  });
}

test("rule HandleIsOfThisMachine: a handle of another machine, inside a callback of this one", async () => {
  const other = await open();
  let thrown: unknown;
  const rig = await open({
    complete() {
      try {
        other.nic.allocate(64);
      } catch (error) {
        thrown = error;
      }
    },
  });
  ask(rig);
  await rig.machine.run();
  assert.equal((thrown as { code: string }).code, "WRONG_OWNER");
  assert.equal(rig.machine.violations[0]?.rule, "HandleIsOfThisMachine");
  assert.deepEqual(other.machine.violations, []);
  assert.equal(other.adapter.liveBlocks, 0);
});

test("rules WriteInsideBlock and NoWriteAfterFree: guard mode says which of the two, and where", async () => {
  const rig = await open({}, { guard: true, choices: { policy: "collect" } });
  const written = rig.nic.allocate(100) as Block;
  const freed = rig.nic.allocate(100) as Block;
  const bytes = rig.machine.core.bytes(written.VirtualAddress, 100);
  const whole = new Uint8Array(bytes.buffer, bytes.byteOffset, 4096);
  whole[100] = 1;
  const kept = rig.nic.services.bytes(freed.VirtualAddress, 100);
  rig.nic.free(freed);
  kept[7] = 1;
  const found = rig.machine.sweep();
  assert.deepEqual(found.map((one) => [one.rule, one.code]).sort(), [
    ["NoWriteAfterFree", "WRITE_AFTER_FREE"],
    ["WriteInsideBlock", "OVERRUN"],
  ]);
  for (const { explain } of found) assert.ok((explain?.allocatedAt?.step ?? 0) > 0);
});

test("rule NothingPendingAtRelease, choice C4: an initialize that fails with requests pending, reported or taken back", async () => {
  for (const pendingAtHalt of ["violation", "reclaim"] as const) {
    const lived: Nic[] = [];
    const parts: DriverParts = {
      initialize(nic) {
        lived.push(nic);
        for (let i = 0; i < 3; i++) NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, 64, false, i);
        if (pendingAtHalt === "reclaim") NdisMDeregisterScatterGatherDma(nic.dma as never);
        return NDIS_STATUS_RESOURCES;
      },
    };
    const failing = open(parts, { choices: { pendingAtHalt } });
    if (pendingAtHalt === "violation") {
      await assert.rejects(failing, (error: { code: string; message: string }) => {
        assert.equal(error.code, "PENDING_AT_RELEASE");
        assert.match(
          error.message,
          /MiniportInitializeEx returned with 3 asynchronous requests pending: #1 \(64 bytes/,
        );
        return true;
      });
    } else {
      const rig = await failing;
      await rig.machine.run();
      assert.deepEqual(rig.machine.violations, []);
      assert.equal(rig.adapter.record.dropped, 3);
      assert.equal(rig.machine.core.digest(), rig.emptyDigest);
    }
    assert.equal(lived[0]?.completions.length, 0);
  }
});

test("every rule of the sources has a test here or elsewhere, and a line on the page", () => {
  const page = readFileSync("docs/ndis.md", "utf8");
  const named = new Set<string>();
  for (const folder of ["bindings/ndis", "src/machine"]) {
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const source = readFileSync(`${folder}/${file}`, "utf8");
      for (const [, rest = ""] of source.matchAll(/\brule: ([^\n]*)/g))
        for (const [, name = ""] of rest.matchAll(/"([A-Z][A-Za-z_]+)"/g)) named.add(name);
    }
  }
  named.add("Irql_Gather_DMA_Function").add("Irql_Miniport_Driver_Function");
  assert.ok(named.size >= 30, [...named].join());
  for (const rule of [...named].filter((name) => /[a-z]/.test(name))) {
    const here = CASES.some((one) => one.rule === rule);
    const file = ELSEWHERE[rule];
    assert.ok(here || file !== undefined, `${rule} has no test`);
    if (file !== undefined) assert.ok(readFileSync(file, "utf8").includes(rule), `${file} does not name ${rule}`);
    assert.ok(page.includes(`\`${rule}\``), `docs/ndis.md lacks ${rule}`);
  }
});

test("choice C2: the bug check at APC_LEVEL is that of the routine", async () => {
  const rig = await open({}, { choices: { apcWherePassive: "bugCheck" } });
  const atApc =
    (act: () => unknown): (() => unknown) =>
    () => {
      const before = rig.nic.services.raiseIrql(1 as never);
      try {
        return act();
      } finally {
        rig.nic.services.lowerIrql(before);
      }
    };
  const allocation = refused(
    rig.machine,
    "WRONG_IRQL",
    atApc(() => rig.nic.allocate(5000)),
  );
  assert.deepEqual(allocation.bugCheck, { code: 0x7c, parameters: [0x01, 1, 5000, 1] });
  const alignment = refused(
    rig.machine,
    "WRONG_IRQL",
    atApc(() => NdisMGetDmaAlignment(rig.handle)),
  );
  assert.deepEqual(alignment.bugCheck, { code: 0xe6, parameters: [0x13, 1, 0, 1] });
});

test.run();
