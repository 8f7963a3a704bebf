/**
 * The contract, entry by entry: what the documented pages say and a first reading of them missed. Each test names the page
 * of the routine, handler or bug check that it holds the face to.
 */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type AdapterHandle,
  DISPATCH_LEVEL,
  type DriverHandle,
  type DriverObjectHandle,
  deviceLevel,
  type KIRQL,
  MM_ANY_NODE_OK,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK,
  type NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
  type NDIS_STATUS,
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisAllocateSharedMemory,
  NdisBuildScatterGatherList,
  NdisFreeScatterGatherList,
  NdisFreeSharedMemory,
  NdisMAllocateNetBufferSGList,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterMiniportDriver,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeNetBufferSGList,
  NdisMFreeSharedMemory,
  NdisMPauseComplete,
  NdisMRegisterDmaChannel,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMRestartComplete,
  NdisMSetAttributesEx,
  NdisMSetMiniportAttributes,
  NdisSetOptionalHandlers,
  NdisSharedMemoryUsageOther,
  NdisShutdownBugCheck,
  type SCATTER_GATHER_LIST,
} from "../../bindings/ndis/index.js";
import { type DevicePort, Machine } from "../../src/index.js";
import { ATTRIBUTES, DESCRIPTION, type DriverParts, makeDriver, type Nic, open, refused } from "./rig.js";

const TABLE = { Type: 0x8a, Revision: 1, Size: 136 } as const;

/** Run `act` at a level. */
function atLevel(nic: Nic, level: KIRQL, act: () => void): void {
  const before = nic.services.raiseIrql(level);
  try {
    act();
  } finally {
    nic.services.lowerIrql(before);
  }
}

/** What NdisMSetMiniportAttributes answers in initialize to each of `types`, after the registration attributes. */
async function attributesInInitialize(
  given: readonly { readonly Type: number; readonly Revision: number; readonly Size: number }[],
): Promise<{ readonly statuses: NDIS_STATUS[]; readonly machine: Machine }> {
  const statuses: NDIS_STATUS[] = [];
  const parts: DriverParts = {
    initialize(nic) {
      for (const Header of given) statuses.push(NdisMSetMiniportAttributes(nic.handle, { Header }));
      return NDIS_STATUS_SUCCESS;
    },
  };
  const { machine } = await open(parts, { choices: { policy: "collect" } });
  return { statuses, machine };
}

test("NdisMSetMiniportAttributes: every attribute structure that is documented is taken, in its order", async () => {
  const { statuses, machine } = await attributesInInitialize(
    [0x9f, 0xa0, 0xa1, 0xaf, 0xb3, 0xc5].map((Type) => ({ Type, Revision: 1, Size: 100 })),
  );
  assert.deepEqual([...new Set(statuses)], [NDIS_STATUS_SUCCESS]);
  assert.deepEqual(machine.violations, []);
});

test("NdisMSetMiniportAttributes: 0xA2, 0xA3 and 0xA5 are no attributes: 0x7C/21 of the driver, nothing else in it", async () => {
  const { statuses, machine } = await attributesInInitialize(
    [0xa2, 0xa3, 0xa5].map((Type) => ({ Type, Revision: 1, Size: 100 })),
  );
  assert.deepEqual([...new Set(statuses)], [NDIS_STATUS_FAILURE]);
  for (const { bugCheck, rule } of machine.violations) {
    assert.deepEqual([rule, bugCheck], ["ObjectHeader", { code: 0x7c, parameters: [0x21, 1, 0, 0] }]);
  }
  assert.equal(machine.violations.length, 3);
});

test("NdisMSetMiniportAttributes: an unknown revision, or a header without room, is BAD_VERSION", async () => {
  const { statuses } = await attributesInInitialize([
    { Type: 0x9f, Revision: 77, Size: 0 },
    { Type: 0x9f, Revision: 1, Size: 0 },
    { Type: 0x9f, Revision: 0, Size: 100 },
    { Type: 0x9f, Revision: 2, Size: 100 },
    { Type: 0xb3, Revision: 2, Size: 100 },
  ]);
  const { BAD, OK } = { BAD: NDIS_STATUS_BAD_VERSION, OK: NDIS_STATUS_SUCCESS };
  assert.deepEqual(statuses, [BAD, BAD, BAD, OK, BAD]);
});

test("NdisMSetMiniportAttributes: general attributes before the others, none after initialize, none of AddDevice", async () => {
  const { statuses, machine } = await attributesInInitialize([
    { Type: 0xa0, Revision: 1, Size: 100 },
    { Type: 0xa4, Revision: 1, Size: 100 },
  ]);
  assert.deepEqual(statuses, [NDIS_STATUS_FAILURE, NDIS_STATUS_FAILURE]);
  assert.deepEqual(
    machine.violations.map(({ rule, code }) => [rule, code]),
    [
      ["AttributesInInitialize", "WRONG_CONTEXT"],
      ["AttributesInInitialize", "WRONG_CONTEXT"],
    ],
  );
  const rig = await open();
  refused(rig.machine, "WRONG_CONTEXT", () =>
    NdisMSetMiniportAttributes(rig.handle, { Header: { Type: 0x9f, Revision: 1, Size: 100 } }),
  );
});

test("NdisMSetMiniportAttributes: the attributes are copied, and their flags are a number", async () => {
  const attributes = { Header: ATTRIBUTES, MiniportAdapterContext: null, AttributeFlags: 0x40 };
  let registered: NDIS_STATUS = NDIS_STATUS_FAILURE;
  const machine = await Machine.open({ choices: { policy: "collect" } });
  const driver = {
    name: "copies",
    DriverEntry: (object: DriverObjectHandle) =>
      NdisMRegisterMiniportDriver(object, "", null, {
        Header: TABLE,
        MajorNdisVersion: 6,
        MinorNdisVersion: 30,
        InitializeHandlerEx(handle) {
          const wrong = { ...attributes, AttributeFlags: "64" as never };
          assert.equal(NdisMSetMiniportAttributes(handle, wrong), NDIS_STATUS_FAILURE);
          NdisMSetMiniportAttributes(handle, attributes);
          attributes.AttributeFlags = 0;
          const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
            Header: DESCRIPTION,
            Flags: 0,
            MaximumPhysicalMapping: 1514,
          });
          registered = Status;
          if (NdisMiniportDmaHandle !== null) NdisMDeregisterScatterGatherDma(NdisMiniportDmaHandle);
          return NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx() {},
      }).Status,
  };
  await machine.add(await machine.load(driver));
  assert.equal(registered, NDIS_STATUS_SUCCESS);
});

test("NdisMRegisterMiniportDriver: versions that exist, headers that fit", async () => {
  const machine = await Machine.open();
  const statuses: NDIS_STATUS[] = [];
  const tables: Partial<NDIS_MINIPORT_DRIVER_CHARACTERISTICS>[] = [
    ...[7, -1, 999, 0.5, 10, 52].map((MinorNdisVersion) => ({ MinorNdisVersion })),
    ...[0, 1, 20, 30, 40, 50, 51, 60, 70, 80, 85].map((MinorNdisVersion) => ({ MinorNdisVersion })),
    { Header: { ...TABLE, Size: 0 } },
    { Header: { ...TABLE, Size: 135 } },
    { Header: { ...TABLE, Revision: 2 } },
    { Header: { ...TABLE, Revision: 4, Size: 400 } },
    { Header: { ...TABLE, Revision: 0, Size: 400 } },
    { Header: { ...TABLE, Revision: 2, Size: 152 } },
    { Header: { ...TABLE, Revision: 3, Size: 160 } },
  ];
  await machine.load({
    name: "versions",
    DriverEntry(object) {
      for (const more of tables) {
        const table = { Header: TABLE, MajorNdisVersion: 6, MinorNdisVersion: 0, ...more };
        const handlers = { InitializeHandlerEx: () => NDIS_STATUS_SUCCESS, HaltHandlerEx() {} };
        statuses.push(NdisMRegisterMiniportDriver(object, "", null, { ...table, ...handlers }).Status);
      }
      return NDIS_STATUS_SUCCESS;
    },
  });
  const is = (status: NDIS_STATUS, count: number): NDIS_STATUS[] => new Array<NDIS_STATUS>(count).fill(status);
  assert.deepEqual(statuses, [
    ...is(NDIS_STATUS_BAD_VERSION, 6),
    ...is(NDIS_STATUS_SUCCESS, 11),
    ...is(NDIS_STATUS_BAD_CHARACTERISTICS, 5),
    ...is(NDIS_STATUS_SUCCESS, 2),
  ]);
});

test("NdisMRegisterMiniportDriver belongs to DriverEntry (RegisterInDriverEntry)", async () => {
  let object: DriverObjectHandle | null = null;
  const machine = await Machine.open();
  await machine.load({
    name: "late",
    DriverEntry(given) {
      object = given;
      return NDIS_STATUS_SUCCESS;
    },
  });
  const table = { Header: TABLE, MajorNdisVersion: 6, MinorNdisVersion: 0 };
  const handlers = { InitializeHandlerEx: () => NDIS_STATUS_SUCCESS, HaltHandlerEx() {} };
  const { violation } = refused(machine, "WRONG_CONTEXT", () =>
    NdisMRegisterMiniportDriver(object as never, "", null, { ...table, ...handlers }),
  );
  assert.equal(violation.rule, "RegisterInDriverEntry");
});

test("NDIS 5 and NDIS 6 calls: NdisMSetAttributesEx of an NDIS 6 driver is 0x7C/15 (Ndis6CallsOnly)", async () => {
  const rig = await open();
  const { violation } = refused(rig.machine, "WRONG_CONTEXT", () => NdisMSetAttributesEx(rig.handle, null, 0, 8, 0));
  assert.deepEqual([violation.rule, violation.basis], ["Ndis6CallsOnly", "documented"]);
  assert.deepEqual(violation.bugCheck, { code: 0x7c, parameters: [0x15, 1, 0, 0] });
});

/** A machine whose driver pauses and restarts as `answers` say. */
async function transitions(answers: {
  pause?: (handle: AdapterHandle) => unknown;
  restart?: (handle: AdapterHandle) => unknown;
}): Promise<Awaited<ReturnType<typeof open>>> {
  let handle: AdapterHandle | null = null;
  const parts: DriverParts = {
    initialize(nic) {
      handle = nic.handle;
      return NDIS_STATUS_SUCCESS;
    },
    characteristics: {
      PauseHandler: () => (answers.pause?.(handle as never) ?? NDIS_STATUS_SUCCESS) as NDIS_STATUS,
      RestartHandler: () => (answers.restart?.(handle as never) ?? NDIS_STATUS_SUCCESS) as NDIS_STATUS,
    },
  };
  return open(parts, { choices: { policy: "collect" } });
}

test("MiniportPause PENDING: Pausing until NdisMPauseComplete, at any level up to DISPATCH, from a timer", async () => {
  const seen: string[] = [];
  const rig = await transitions({
    pause: (handle) => {
      const timer = rig.nic.services.createTimer(() => {
        seen.push(rig.adapter.state);
        NdisMPauseComplete(handle);
        seen.push(rig.adapter.state);
      });
      timer.set(5000);
      return NDIS_STATUS_PENDING;
    },
  });
  await rig.machine.pause(rig.adapter);
  assert.deepEqual(seen, ["Pausing", "Paused"]);
  assert.equal(rig.adapter.state, "Paused");
  await rig.machine.halt(rig.adapter);
  assert.deepEqual(rig.machine.violations, []);
});

test("MiniportRestart PENDING: NdisMRestartComplete decides, also before the handler returns", async () => {
  const answers: NDIS_STATUS[] = [NDIS_STATUS_SUCCESS, NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCES];
  const rig = await transitions({
    restart: (handle) => {
      NdisMRestartComplete(handle, answers.shift() ?? NDIS_STATUS_SUCCESS);
      return NDIS_STATUS_PENDING;
    },
  });
  assert.equal(rig.adapter.state, "Running");
  await rig.machine.pause(rig.adapter);
  assert.equal(await rig.machine.restart(rig.adapter), NDIS_STATUS_FAILURE);
  assert.equal(rig.adapter.state, "Paused");
  assert.equal(await rig.machine.restart(rig.adapter), NDIS_STATUS_RESOURCES);
  assert.equal(await rig.machine.restart(rig.adapter), NDIS_STATUS_SUCCESS);
  assert.equal(rig.adapter.state, "Running");
  assert.deepEqual(rig.machine.violations, []);
});

test("a pause that never completes is the watchdog's: 0x7C/25/21", async () => {
  const rig = await transitions({ pause: () => NDIS_STATUS_PENDING });
  await assert.rejects(rig.machine.pause(rig.adapter), { code: "PENDING_AT_RELEASE" });
  assert.deepEqual(rig.machine.violations.at(-1)?.bugCheck, { code: 0x7c, parameters: [0x25, 0x21, 1, 0] });
});

test("completions with nothing to complete: 0x7C/1F, 1 and 2 (TransitionIsPending)", async () => {
  const rig = await open();
  const pause = refused(rig.machine, "WRONG_CONTEXT", () => NdisMPauseComplete(rig.handle)).violation;
  const restart = refused(rig.machine, "WRONG_CONTEXT", () =>
    NdisMRestartComplete(rig.handle, NDIS_STATUS_SUCCESS),
  ).violation;
  assert.deepEqual([pause.rule, restart.rule], ["TransitionIsPending", "TransitionIsPending"]);
  assert.deepEqual(pause.bugCheck, { code: 0x7c, parameters: [0x1f, 1, 1, 0] });
  assert.deepEqual(restart.bugCheck, { code: 0x7c, parameters: [0x1f, 2, 1, 0] });
});

test("what a handler returns is judged at that handler (HandlerReturnsItsStatus)", async () => {
  const wrong: unknown[] = [undefined, true, {}, "0", 0.5, NDIS_STATUS_PENDING, 7, Number.NaN, null];
  for (const value of wrong) {
    const initialize = { initialize: () => value as never, register: false };
    const nics: Nic[] = [];
    const machine = await Machine.open({ choices: { policy: "collect" } });
    const parts: DriverParts = { ...initialize };
    const driver = makeDriver(parts, nics);
    const adapter = await machine.add(await machine.load(driver));
    // The rig takes null and undefined for SUCCESS.
    if (value === undefined || value === null) continue;
    assert.equal(adapter.state, "Halted", String(value));
    assert.equal(adapter.status, NDIS_STATUS_FAILURE);
    const [found] = machine.violations;
    assert.deepEqual([found?.rule, found?.call], ["HandlerReturnsItsStatus", "MiniportInitializeEx"]);
  }
  for (const value of wrong) {
    const machine = await Machine.open({ choices: { policy: "collect" } });
    const loaded = await machine.load({ name: "entry", DriverEntry: () => value as never });
    assert.equal(loaded.status, NDIS_STATUS_FAILURE);
    assert.deepEqual(
      machine.violations.map(({ rule, call }) => [rule, call]),
      [["HandlerReturnsItsStatus", "DriverEntry"]],
    );
  }
  const rig = await transitions({ pause: () => NDIS_STATUS_FAILURE, restart: () => ({}) });
  assert.equal(rig.adapter.state, "Paused", "a restart that answers nothing does not run");
  assert.equal(rig.machine.violations[0]?.call, "MiniportRestart");
  const failing = await transitions({ pause: () => NDIS_STATUS_FAILURE });
  await failing.machine.pause(failing.adapter);
  assert.equal(failing.adapter.state, "Paused", "a pause cannot fail");
  assert.equal(failing.machine.violations[0]?.call, "MiniportPause");
});

test("an asynchronous handler is judged by what its promise brings", async () => {
  const machine = await Machine.open({ choices: { policy: "collect" } });
  const loaded = await machine.load({ name: "later", DriverEntry: async () => ({}) as never });
  assert.equal(loaded.status, NDIS_STATUS_FAILURE);
  assert.equal(machine.violations[0]?.rule, "HandlerReturnsItsStatus");
});

test("MiniportShutdownEx(BugCheck) is called for those who asked for it, from NDIS 6.30 on", async () => {
  const asked = NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER | NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK;
  for (const [version, attributeFlags, called] of [
    [[6, 30], NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER, 0],
    [[6, 30], asked, 1],
    [[6, 20], NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER, 1],
  ] as const) {
    let calls = 0;
    const ShutdownHandlerEx = (): void => {
      calls++;
    };
    const rig = await open({ version, attributeFlags, characteristics: { ShutdownHandlerEx } });
    rig.machine.shutdown(rig.adapter, NdisShutdownBugCheck);
    assert.equal(calls, called);
    assert.equal(rig.adapter.state, "Shutdown");
  }
});

test("MiniportShutdownEx(PowerOff) may release, but by NdisMFreeSharedMemory; after it nothing may be called", async () => {
  let released = 0;
  const parts: DriverParts = {
    characteristics: {
      ShutdownHandlerEx(context) {
        const nic = context as Nic;
        const SGListBuffer = { NumberOfElements: 0, Elements: [] };
        assert.throws(() => NdisAllocateSharedMemory(nic.handle, { ...PARAMETERS, SGListBuffer }), {
          code: "WRONG_CONTEXT",
        });
        NdisMDeregisterScatterGatherDma(nic.dma as never);
        released++;
      },
    },
  };
  const rig = await open(parts);
  rig.machine.shutdown(rig.adapter);
  assert.equal(released, 1);
  assert.deepEqual(rig.machine.report().handlerErrors, []);
  for (const late of [
    () => NdisFreeSharedMemory(rig.handle, null as never),
    () => NdisMPauseComplete(rig.handle),
    () => NdisMAllocateSharedMemory(rig.handle, 64, false),
    () => NdisFreeScatterGatherList(rig.handle, null as never, true),
  ]) {
    assert.equal(refused(rig.machine, "WRONG_CONTEXT", late).violation.rule, "NothingInShutdown");
  }
});

const PARAMETERS = {
  Header: { Type: 0x80, Revision: 1, Size: 64 },
  Flags: 0,
  QueueId: 0,
  PreferredNode: MM_ANY_NODE_OK,
  Usage: NdisSharedMemoryUsageOther,
  Length: 4096,
  SGListBufferLength: 64,
} as const;

test("DriverEntry that fails without deregistering: 0x7C/0A, and no adapter (DeregisterBeforeUnload)", async () => {
  const nics: Nic[] = [];
  const machine = await Machine.open({ choices: { policy: "collect" } });
  const rig = makeDriver({}, nics);
  const loaded = await machine.load({
    name: "half",
    DriverEntry(object, path) {
      rig.DriverEntry(object, path);
      return NDIS_STATUS_RESOURCES;
    },
  });
  assert.equal(loaded.status, NDIS_STATUS_RESOURCES);
  const [found] = machine.violations;
  assert.deepEqual([found?.rule, found?.call], ["DeregisterBeforeUnload", "DriverEntry"]);
  assert.deepEqual(found?.bugCheck, { code: 0x7c, parameters: [0x0a, 1, 1, 1] });
  await assert.rejects(machine.add(loaded), { code: "INVALID_ARGUMENT" });
});

test("unload: with an adapter, without deregistering, twice, and add afterwards", async () => {
  const nics: Nic[] = [];
  const machine = await Machine.open({ choices: { policy: "collect" } });
  let unloads = 0;
  const driver = makeDriver(
    {
      characteristics: {
        UnloadHandler() {
          unloads++;
        },
      },
    },
    nics,
  );
  const loaded = await machine.load(driver);
  const adapter = await machine.add(loaded);
  await machine.unload(loaded);
  assert.equal(unloads, 0);
  assert.equal(machine.violations[0]?.rule, "HaltBeforeUnload");
  assert.deepEqual(machine.violations[0]?.bugCheck, { code: 0x7c, parameters: [0x0a, 1, 1, 1] });
  await machine.halt(adapter);
  await machine.unload(loaded);
  assert.equal(unloads, 1);
  assert.equal(machine.violations[1]?.rule, "DeregisterBeforeUnload");
  await assert.rejects(machine.unload(loaded), { code: "ADAPTER_GONE" });
  await assert.rejects(machine.add(loaded), { code: "ADAPTER_GONE" });
});

test("unload of a driver that deregisters in its unload routine is no violation", async () => {
  let registered: DriverHandle | null = null;
  const machine = await Machine.open();
  const loaded = await machine.load({
    name: "tidy",
    DriverEntry(object) {
      const { Status, NdisMiniportDriverHandle } = NdisMRegisterMiniportDriver(object, "", null, {
        Header: TABLE,
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx: () => NDIS_STATUS_SUCCESS,
        HaltHandlerEx() {},
        UnloadHandler: () => NdisMDeregisterMiniportDriver(registered as DriverHandle),
      });
      registered = NdisMiniportDriverHandle;
      return Status;
    },
  });
  await machine.unload(loaded);
  assert.deepEqual(machine.violations, []);
});

test("halt with the interrupt connected and a timer set: 0x7C/08 and 09; nothing of them runs (TimersAreCancelled)", async () => {
  let ran = 0;
  const rig = await open(
    {
      initialize(nic) {
        nic.services.registerInterrupt({ dpc: () => ran++ });
        nic.services.createTimer(() => ran++).set(1000, 1000);
        return NDIS_STATUS_SUCCESS;
      },
    },
    { choices: { policy: "collect" }, lifecycle: "byHand" } as never,
  );
  await rig.machine.halt(rig.adapter);
  const codes = rig.machine.violations.map(({ rule, bugCheck }) => [rule, bugCheck?.parameters[0]]);
  assert.deepEqual(codes, [
    ["Init_DeRegisterInterrupt", 0x08],
    ["TimersAreCancelled", 0x09],
  ]);
  const before = ran;
  await rig.machine.run();
  assert.equal(ran, before);
});

test("an initialize that fails with them: 0x7C/0B and 0C", async () => {
  const nics: Nic[] = [];
  const machine = await Machine.open({ choices: { policy: "collect" } });
  const driver = makeDriver(
    {
      register: false,
      initialize(nic) {
        nic.services.registerInterrupt({ dpc() {} });
        nic.services.createTimer(() => {}).set(1000);
        return NDIS_STATUS_FAILURE;
      },
    },
    nics,
  );
  await machine.add(await machine.load(driver));
  assert.deepEqual(
    machine.violations.map(({ bugCheck }) => bugCheck?.parameters.slice(0, 2)),
    [
      [0x0b, 1],
      [0x0c, 1],
    ],
  );
});

test("after halt nothing runs: services that were kept refuse, threads that wait never go on", async () => {
  const rig = await open({}, { choices: { policy: "collect" } });
  const { services } = rig.nic;
  let ran = 0;
  services.queueWorkItem(async () => {
    await services.sleep(1_000_000);
    ran++;
  });
  rig.machine.step();
  const timer = services.createTimer(() => ran++);
  await rig.machine.halt(rig.adapter);
  const errors = rig.machine.violations.length;
  timer.set(10);
  services.queueWorkItem(() => {
    ran++;
  });
  services.registerInterrupt({ dpc: () => ran++ });
  services.indicate({ bytes: new Uint8Array(64) });
  await assert.rejects(services.sleep(1), { code: "ADAPTER_GONE" });
  await rig.machine.run();
  assert.equal(ran, 0);
  const late = rig.machine.violations.slice(errors);
  assert.deepEqual([...new Set(late.map(({ code }) => code))], ["ADAPTER_GONE"]);
  assert.equal(late.length, 5);
});

test("indicate, queueWorkItem and event.set are for DISPATCH_LEVEL and below", async () => {
  const rig = await open();
  const { services } = rig.nic;
  const event = services.createEvent();
  for (const call of [
    () => services.indicate({ bytes: new Uint8Array(64) }),
    () => services.queueWorkItem(() => {}),
    () => event.set(),
  ]) {
    refused(rig.machine, "WRONG_IRQL", () => atLevel(rig.nic, deviceLevel(5), call));
  }
  assert.equal(event.signalled, false);
});

test("NdisSetOptionalHandlers: in MiniportSetOptions, with the structures and statuses of its page", async () => {
  const statuses: NDIS_STATUS[] = [];
  let kept: DriverHandle | null = null;
  const optional = (Type: number): NDIS_STATUS =>
    NdisSetOptionalHandlers(kept as DriverHandle, { Header: { Type, Revision: 1, Size: 64 } });
  const rig = await open({
    characteristics: {
      SetOptionsHandler(handle) {
        kept = handle;
        for (const type of [0x92, 0xb4, 0xb2, 0x91, 0xa5, 0xb0, 0x8c, 7]) statuses.push(optional(type));
        return NDIS_STATUS_SUCCESS;
      },
    },
  });
  const { FAIL, OK } = { FAIL: NDIS_STATUS_FAILURE, OK: NDIS_STATUS_SUCCESS };
  assert.deepEqual(statuses, [OK, OK, OK, OK, OK, FAIL, FAIL, FAIL]);
  const { violation } = refused(rig.machine, "WRONG_CONTEXT", () => optional(0x92));
  assert.equal(violation.rule, "OptionalHandlersInSetOptions");
});

/** A NET_BUFFER over a block of the rig. */
function packet(nic: Nic): { readonly mdl: { MappedSystemVa: never; ByteCount: number; Next: null }; pa: number } {
  const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(nic.handle, 4096, false);
  nic.blocks.push({ VirtualAddress, PhysicalAddress, Length: 4096, Cached: false } as never);
  return { mdl: { MappedSystemVa: VirtualAddress as never, ByteCount: 4096, Next: null }, pa: PhysicalAddress };
}

test("lists go back through the pair that made them, and no block under one is freed (NoFreeUnderLiveList)", async () => {
  const lists: SCATTER_GATHER_LIST[] = [];
  const rig = await open({ description: { ProcessSGListHandler: (_pdo, _reserved, list) => void lists.push(list) } });
  const { mdl, pa } = packet(rig.nic);
  const netBuffer = { CurrentMdl: mdl, CurrentMdlOffset: 0, DataLength: 100 };
  const atDispatch = (act: () => void): void => atLevel(rig.nic, DISPATCH_LEVEL, act);
  atDispatch(() => NdisMAllocateNetBufferSGList(rig.dma, netBuffer, null, 1));
  const [list] = lists as [SCATTER_GATHER_LIST];
  const other = refused(rig.machine, "WRONG_HANDLE", () =>
    atDispatch(() => NdisFreeScatterGatherList(rig.handle, list, true)),
  );
  assert.equal(other.violation.rule, "FreeByTheCallOfTheAllocation");
  const under = refused(rig.machine, "WRONG_CONTEXT", () =>
    NdisMFreeSharedMemory(rig.handle, 4096, false, mdl.MappedSystemVa, pa as never),
  );
  assert.equal(under.violation.rule, "NoFreeUnderLiveList");
  atDispatch(() => NdisMFreeNetBufferSGList(rig.dma, list, netBuffer));
  await rig.machine.halt(rig.adapter);
});

test("NdisBuildScatterGatherList: Flags are reserved, the direction is that of the free, which is a BOOLEAN", async () => {
  let port: DevicePort | null = null;
  const device = {
    attach(given: DevicePort) {
      port = given;
    },
    readRegister: () => 0,
    writeRegister() {},
  };
  const rig = await open({}, { iommu: "remapped" }, { device });
  const { mdl } = packet(rig.nic);
  const lists: SCATTER_GATHER_LIST[] = [];
  const parameters = {
    Header: { Type: 0x80, Revision: 1, Size: 72 },
    Flags: 0,
    QueueId: 0,
    SharedMemoryUsage: NdisSharedMemoryUsageOther,
    Mdl: mdl,
    CurrentVa: mdl.MappedSystemVa,
    Length: 64,
    ProcessSGListHandler: (_pdo: null, _reserved: null, list: SCATTER_GATHER_LIST) => void lists.push(list),
    Context: null,
    ScatterGatherListBuffer: { NumberOfElements: 0, Elements: [] },
    ScatterGatherListBufferSize: 4096,
  } as const;
  const atDispatch = (act: () => void): void => atLevel(rig.nic, DISPATCH_LEVEL, act);
  atDispatch(() => assert.equal(NdisBuildScatterGatherList(rig.handle, parameters), NDIS_STATUS_SUCCESS));
  const [list] = lists as [SCATTER_GATHER_LIST];
  const physical = list.Elements[0]?.Address as number;
  // Until the free the device may read and write: the page gives the direction there.
  (port as DevicePort | null)?.read(physical, new Uint8Array(8));
  (port as DevicePort | null)?.write(physical, new Uint8Array(8));
  refused(rig.machine, "INVALID_ARGUMENT", () =>
    atDispatch(() => NdisFreeScatterGatherList(rig.handle, list, "banana" as never)),
  );
  atDispatch(() => NdisFreeScatterGatherList(rig.handle, list, true));
  assert.deepEqual(rig.machine.violations.length, 1);
});

test("a chain of MDLs that comes back to itself, has no end, or no length is refused", async () => {
  const lists: SCATTER_GATHER_LIST[] = [];
  const rig = await open({ description: { ProcessSGListHandler: (_pdo, _reserved, list) => void lists.push(list) } });
  const { mdl } = packet(rig.nic);
  const cyclic = { ...mdl, ByteCount: 0, Next: null as unknown };
  cyclic.Next = cyclic;
  const pair = { ...mdl, ByteCount: 8, Next: null as unknown };
  pair.Next = { ...mdl, ByteCount: 8, Next: pair };
  const endless = { MappedSystemVa: mdl.MappedSystemVa, ByteCount: 8 };
  const fraction = { ...mdl, ByteCount: Number.NaN };
  atLevel(rig.nic, DISPATCH_LEVEL, () => {
    for (const CurrentMdl of [cyclic, pair, endless, fraction] as never[]) {
      const netBuffer = { CurrentMdl, CurrentMdlOffset: 0, DataLength: 100 };
      assert.throws(
        () => NdisMAllocateNetBufferSGList(rig.dma, netBuffer, null, 1),
        /TRANSLATION_FAULT|INVALID_ARGUMENT/,
      );
    }
  });
  assert.deepEqual(lists, []);
});

test("an asynchronous ProcessSGListHandler has suspended itself at DISPATCH_LEVEL, and its rejection is contained", async () => {
  const rig = await open(
    {
      description: {
        ProcessSGListHandler: (async () => {
          throw new TypeError("the driver's own");
        }) as never,
      },
    },
    { choices: { policy: "collect" } },
  );
  const { mdl } = packet(rig.nic);
  atLevel(rig.nic, DISPATCH_LEVEL, () => {
    NdisMAllocateNetBufferSGList(rig.dma, { CurrentMdl: mdl, CurrentMdlOffset: 0, DataLength: 64 }, null, 1);
  });
  await rig.machine.run();
  assert.equal(rig.machine.violations[0]?.rule, "NoWaitAtDispatch");
  assert.match(String((rig.machine.report().handlerErrors[0]?.error as Error)?.stack), /contract\.test/);
});

test("frozen structures: nothing is allocated, nothing is registered, and the refusal names the field", async () => {
  let status: NDIS_STATUS = NDIS_STATUS_SUCCESS;
  const failing = await Machine.open({ choices: { policy: "collect" } });
  const nics: Nic[] = [];
  const driver = makeDriver(
    {
      register: false,
      initialize(nic) {
        const frozen = Object.freeze({ Header: DESCRIPTION, Flags: 1, MaximumPhysicalMapping: 1514 });
        status = NdisMRegisterScatterGatherDma(nic.handle, frozen).Status;
        return NDIS_STATUS_SUCCESS;
      },
    },
    nics,
  );
  const adapter = await failing.add(await failing.load(driver));
  assert.equal(status, NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(failing.violations[0]?.field, "ScatterGatherListSize");
  assert.equal(adapter.record.dma, null);
  const rig = await open({}, { choices: { policy: "collect" } });
  for (const SGListBuffer of [
    { NumberOfElements: 0, Elements: [] },
    Object.freeze({ NumberOfElements: 0, Elements: [] }),
  ]) {
    const parameters = { ...PARAMETERS, SGListBuffer };
    const given = Object.isFrozen(SGListBuffer) ? parameters : Object.freeze(parameters);
    assert.equal(NdisAllocateSharedMemory(rig.handle, given).Status, NDIS_STATUS_INVALID_PARAMETER);
  }
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  assert.equal(rig.machine.violations.length, 2);
});

test("6.20: QueueId and VPortId are read; providers answer with a status; their memory is a leak at halt", async () => {
  const answers: unknown[] = [
    undefined,
    Promise.resolve(0),
    {},
    { Status: "no" },
    new Proxy(
      {},
      {
        get() {
          throw new RangeError("the provider's own");
        },
      },
    ),
    { Status: NDIS_STATUS_SUCCESS, SharedMemoryProviderContext: 7 },
  ];
  const rig = await open(
    {
      characteristics: {
        SetOptionsHandler: (handle) =>
          NdisSetOptionalHandlers(handle, {
            Header: { Type: 0xb0, Revision: 1, Size: 32 },
            Flags: 0,
            ProviderContext: null,
            AllocateSharedMemoryHandler: () => answers.shift() as never,
            FreeSharedMemoryHandler() {},
          }),
      },
    },
    { choices: { policy: "collect" } },
  );
  const SGListBuffer = { NumberOfElements: 0, Elements: [] };
  const ask = (more: object = {}): NDIS_STATUS =>
    NdisAllocateSharedMemory(rig.handle, { ...PARAMETERS, SGListBuffer, ...more }).Status;
  assert.equal(ask({ QueueId: -1 }), NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(ask({ Header: { Type: 0x80, Revision: 2, Size: 68 }, VPortId: "x" }), NDIS_STATUS_INVALID_PARAMETER);
  for (let i = 0; i < 5; i++) assert.equal(ask(), NDIS_STATUS_FAILURE);
  assert.equal(ask(), NDIS_STATUS_SUCCESS);
  const judged = rig.machine.violations.filter(({ rule }) => rule === "HandlerReturnsItsStatus");
  assert.equal(judged.length, 4);
  assert.match(String(rig.machine.report().handlerErrors[0]?.error), /the provider's own/);
  await rig.machine.halt(rig.adapter);
  assert.ok(rig.machine.violations.some(({ code, message }) => code === "LEAK_AT_RELEASE" && /provider/.test(message)));
});

test("NdisMRegisterDmaChannel: DMA_WIDTH and DMA_SPEED are of their enumerations", async () => {
  for (const [field, value] of [
    ["DmaWidth", 5],
    ["DmaWidth", -1],
    ["DmaSpeed", 5],
    ["DmaSpeed", "fast"],
  ] as const) {
    const parts: DriverParts = {
      register: false,
      attributeFlags: 0,
      initialize(nic) {
        refused(machineOf(nic), "INVALID_ARGUMENT", () =>
          NdisMRegisterDmaChannel(nic.handle, 0, true, { [field]: value }, 4096),
        );
        return NDIS_STATUS_SUCCESS;
      },
    };
    const nics: Nic[] = [];
    const machine = await Machine.open();
    const machineOf = (_nic: Nic): Machine => machine;
    await machine.add(await machine.load(makeDriver(parts, nics)));
  }
});

test("onBugCheck runs once", async () => {
  let calls = 0;
  const rig = await open({}, { choices: { policy: "break" }, onBugCheck: () => calls++ } as never);
  const halting = rig.machine.halt(rig.adapter);
  await halting;
  const other = await open(
    {
      halt(nic) {
        // Left: a block and the registration: two violations at the end of halt.
        NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, 64, false, null);
      },
    },
    { choices: { policy: "break" }, onBugCheck: () => calls++ } as never,
  );
  await assert.rejects(other.machine.halt(other.adapter));
  assert.equal(calls, 1);
});

test.run();
