/** The deviations listed at the head of bindings/ndis/index.ts, one test for each number. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import {
  adapterServices,
  NDIS_PHYSICAL_ADDRESS_CONST,
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_SUCCESS,
  NdisGetPhysicalAddressHigh,
  NdisGetPhysicalAddressLow,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMRegisterMiniportDriver,
  NdisSetPhysicalAddressHigh,
  NdisSetPhysicalAddressLow,
} from "../../bindings/ndis/index.js";
import { Machine } from "../../src/index.js";
import { type Block, open, refused } from "./rig.js";

test("deviation 1: out parameters are returned, and the macros return the address", async () => {
  const { handle } = await open();
  assert.deepEqual(Object.keys(NdisMAllocateSharedMemory(handle, 64, false)), ["VirtualAddress", "PhysicalAddress"]);
  const address = NDIS_PHYSICAL_ADDRESS_CONST(0x89abcdef, 0x12345);
  assert.equal(address, 0x1234589abcdef);
  assert.equal(NdisGetPhysicalAddressLow(address), 0x89abcdef);
  assert.equal(NdisGetPhysicalAddressHigh(address), 0x12345);
  assert.equal(NdisSetPhysicalAddressLow(address, 1), 0x1234500000001);
  assert.equal(NdisSetPhysicalAddressHigh(address, 0), 0x89abcdef);
  assert.throws(() => NDIS_PHYSICAL_ADDRESS_CONST(0, 2 ** 20), { code: "INVALID_ARGUMENT" });
  assert.throws(() => NDIS_PHYSICAL_ADDRESS_CONST(-1, 0), { code: "INVALID_ARGUMENT" });
  assert.throws(() => NdisSetPhysicalAddressLow(address, 2 ** 32), { code: "INVALID_ARGUMENT" });
});

test("deviation 2: an out field of an inout structure is written into the caller's object", async () => {
  const { nic } = await open();
  assert.equal(nic.description.ScatterGatherListSize, 64);
});

test("deviation 3: handlers may be asynchronous and wait on the machine's events only", async () => {
  const rig = await open({
    async initialize(nic) {
      await nic.services.sleep(5);
      return NDIS_STATUS_SUCCESS;
    },
  });
  assert.equal(rig.machine.nowNs, 5);
  await assert.rejects(
    open({
      initialize: () => new Promise(() => {}),
    }),
    { code: "WRONG_CONTEXT" },
  );
});

test("deviation 4: a table needs two entry points", async () => {
  const machine = await Machine.open();
  for (const missing of ["InitializeHandlerEx", "HaltHandlerEx"]) {
    const loaded = await machine.load({
      name: "short",
      DriverEntry: (object, path) =>
        NdisMRegisterMiniportDriver(object, path, null, {
          Header: { Type: 0x8a, Revision: 1, Size: 136 },
          MajorNdisVersion: 6,
          MinorNdisVersion: 0,
          InitializeHandlerEx: () => NDIS_STATUS_SUCCESS,
          HaltHandlerEx: () => {},
          [missing]: undefined,
        }).Status,
    });
    assert.equal(loaded.status, NDIS_STATUS_BAD_CHARACTERISTICS);
  }
});

test("deviation 5: the compiler refuses each swap of handles and addresses, and a bare number as a status", () => {
  const fixture = "test/ndis/fixtures/swaps.ts";
  const flags = [
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--lib",
    "es2023,esnext.disposable",
    "--types",
    "node",
  ];
  const run = spawnSync("npx", ["tsc", ...flags, fixture, "bindings/types/webassembly.d.ts"], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stdout);
  // The fixture must be able to fail: without its expectations every swap is an error.
  const swaps = readFileSync(fixture, "utf8").match(/@ts-expect-error/g)?.length ?? 0;
  assert.ok(swaps >= 30, `${swaps} swaps`);
});

test("deviation 5: handles are opaque and frozen", async () => {
  const { handle, dma } = await open();
  for (const one of [handle, dma]) {
    assert.ok(Object.isFrozen(one));
    assert.deepEqual(Reflect.ownKeys(one), []);
  }
});

test("deviation 6: a physical address is a number; a failed completion's is null", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 51, size: 4096 }] });
  const block = rig.nic.allocate(4096) as Block;
  assert.equal(block.PhysicalAddress, 2 ** 51);
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, 1, false, 0);
  await rig.machine.run();
  assert.equal(rig.nic.completions[0]?.PhysicalAddress, null);
});

test("deviation 7: BOOLEAN is true or false", async () => {
  const rig = await open();
  for (const Cached of [0, 1, "true", null, undefined]) {
    refused(rig.machine, "INVALID_ARGUMENT", () => NdisMAllocateSharedMemory(rig.handle, 64, Cached as never));
  }
});

test("deviation 8: a bug check is a record, and then an error that carries it", async () => {
  const rig = await open();
  const error = refused(rig.machine, "WRONG_IRQL", () => rig.nic.atDispatch(() => rig.nic.allocate(64)));
  assert.equal(error.violation, rig.machine.violations[0]);
  assert.equal(error.bugCheck?.code, 0x7c);
  assert.match(error.message, /NdisMAllocateSharedMemory on rig at DISPATCH \(step \d+\)/);
  assert.match(error.message, /0x7C BUGCODE_NDIS_DRIVER \(0x1, 0x1, 0x40, 0x2\), as documented/);
});

test("deviation 9: the adapter's number stands for its miniport block", async () => {
  const rig = await open();
  const error = refused(rig.machine, "WRONG_IRQL", () => rig.nic.atDispatch(() => rig.nic.allocate(64)));
  assert.equal(error.bugCheck?.parameters[1], rig.adapter.record.number);
});

test("deviation 10: what is not memory comes from adapterServices, in names of our own", async () => {
  const { handle } = await open();
  const services = adapterServices(handle);
  assert.equal(typeof services.createTimer, "function");
  assert.throws(() => adapterServices(null as never), { code: "NULL_ADAPTER" });
});

test.run();
