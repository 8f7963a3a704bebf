/** One driver, from DriverEntry to halt: the subset that everything else stands on. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
} from "../../bindings/ndis/index.js";
import { check, open } from "./rig.js";

test("a driver initializes, asks, is called back, frees and halts", async () => {
  const { machine, adapter, nic, dma, emptyDigest } = await open();
  assert.equal(adapter.status, NDIS_STATUS_SUCCESS);
  assert.equal(adapter.state, "Running");
  assert.equal(nic.description.ScatterGatherListSize, 64);
  const context = { mine: true };
  const status = nic.atDispatch(() => NdisMAllocateSharedMemoryAsyncEx(dma, 1554, false, context));
  assert.equal(status, NDIS_STATUS_PENDING);
  assert.equal(nic.completions.length, 0);
  assert.equal(adapter.pending, 1);
  await machine.run();
  assert.equal(nic.completions.length, 1);
  const completion = nic.completions[0];
  assert.equal(completion?.Context, context);
  assert.equal(completion?.miniportContext, nic);
  assert.equal(completion?.Length, 1554);
  assert.equal(completion?.irql, 0);
  check(machine);
  await machine.halt(adapter);
  assert.equal(adapter.state, "Halted");
  assert.equal(machine.core.digest(), emptyDigest);
  const report = machine.report();
  assert.deepEqual(report.violations, []);
  assert.deepEqual(report.leaks, []);
  assert.equal(report.requests.completed, 1);
  machine.dispose();
});

test("halt waits in a thread for what is pending", async () => {
  const { machine, adapter, dma, emptyDigest } = await open({
    async halt(nic) {
      const done = nic.services.createEvent();
      const timer = nic.services.createTimer(() => {
        if (nic.completions.length === 3) done.set();
      });
      timer.set(1000, 1000);
      while ((await nic.services.wait(done, 50_000)) === "timeout");
      timer.cancel();
      nic.freeAll();
      if (nic.dma !== null) NdisMDeregisterScatterGatherDma(nic.dma);
    },
  });
  for (let i = 0; i < 3; i++) assert.equal(NdisMAllocateSharedMemoryAsyncEx(dma, 4096, false, i), NDIS_STATUS_PENDING);
  await machine.halt(adapter);
  assert.equal(adapter.state, "Halted");
  assert.equal(machine.core.digest(), emptyDigest);
  assert.deepEqual(machine.violations, []);
});

test.run();
