/** Catalogue group D: translation, as a driver and its device meet it. The core's own tests cover the rest. */
import assert from "node:assert/strict";
import { test } from "uvu";
import { NdisMAllocateSharedMemoryAsyncEx, ShmemError, type VirtualAddress } from "../../bindings/ndis/index.js";
import { type DeviceModel, type DevicePort, Prng } from "../../src/index.js";
import { type Block, check, open } from "./rig.js";

class Probe implements DeviceModel {
  port!: DevicePort;
  attach(port: DevicePort): void {
    this.port = port;
  }
  readRegister(): number {
    return 0;
  }
  writeRegister(): void {}
}

function code(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ShmemError) return error.code;
    throw error;
  }
  return "no error";
}

test("misuse D01, D02: a device access beside every block, and after the free, faults at once", async () => {
  for (const iommu of ["identity", "remapped"] as const) {
    const probe = new Probe();
    const rig = await open(
      {},
      { zones: [{ base: 2 ** 28, size: 2 ** 18 }], iommu, choices: { policy: "collect" } },
      { device: probe },
    );
    const block = rig.nic.allocate(8192) as Block;
    probe.port.writeU32(block.PhysicalAddress + 8188, 7);
    const outside = [block.PhysicalAddress + 8192, block.PhysicalAddress - 4, 0, 2 ** 40, 2 ** 28 + 2 ** 18];
    for (const address of outside) {
      assert.equal(
        code(() => probe.port.readU32(address)),
        "TRANSLATION_FAULT",
      );
    }
    rig.nic.free(block);
    assert.equal(
      code(() => probe.port.readU32(block.PhysicalAddress)),
      "TRANSLATION_FAULT",
    );
    assert.equal(rig.machine.violations.length, outside.length + 1);
    assert.ok(rig.machine.violations.every((one) => one.rule === "DeviceReachesMappings"));
  }
});

test("misuse D03: a thousand random allocations, frees and accesses: the device sees what the driver wrote, or faults", async () => {
  for (const iommu of ["identity", "remapped"] as const) {
    const probe = new Probe();
    const { machine, nic } = await open(
      {},
      { zones: [{ base: 2 ** 32, size: 2 ** 19 }], iommu, choices: { policy: "collect" } },
      { device: probe },
    );
    const prng = new Prng(17);
    const live = new Map<Block, number>();
    const dead: Block[] = [];
    for (let i = 0; i < 1000; i++) {
      const draw = prng.below(4);
      if (draw < 2) {
        const block = nic.allocate(4 + prng.below(20_000));
        if (block === null) continue;
        const stamp = prng.next();
        nic.services.writeU32((block.VirtualAddress + block.Length - 4) as VirtualAddress, stamp);
        live.set(block, stamp);
      } else if (draw === 2 && live.size > 0) {
        const block = [...live.keys()][prng.below(live.size)] as Block;
        live.delete(block);
        nic.free(block);
        dead.push(block);
      } else {
        for (const [block, stamp] of live) {
          assert.equal(probe.port.readU32(block.PhysicalAddress + block.Length - 4), stamp);
        }
        const last = dead.at(-1);
        const overlapped = [...live.keys()].some((one) => last !== undefined && overlaps(one, last));
        if (last !== undefined && !overlapped) {
          assert.equal(
            code(() => probe.port.readU32(last.PhysicalAddress)),
            "TRANSLATION_FAULT",
          );
        }
      }
    }
    check(machine);
  }
});

/** Frames of one block and of another, by the device's addresses. */
function overlaps(one: Block, other: Block): boolean {
  const end = (block: Block): number => block.PhysicalAddress + Math.ceil(block.Length / 4096) * 4096;
  return one.PhysicalAddress < end(other) && other.PhysicalAddress < end(one);
}

test("misuse D13: no block crosses a 4 GiB line; choice C14", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 32 - 2 ** 20, size: 2 ** 21 }] });
  for (const length of [2 ** 20, 3 * 2 ** 18, 2 ** 18, 12_345]) {
    for (let block = rig.nic.allocate(length); block !== null; block = rig.nic.allocate(length)) {
      const first = Math.floor(block.PhysicalAddress / 2 ** 32);
      assert.equal(Math.floor((block.PhysicalAddress + length - 1) / 2 ** 32), first);
    }
    check(rig.machine);
    rig.nic.freeAll();
  }
});

test("misuse D14: virtual and physical addresses name the same byte, asynchronously too", async () => {
  const probe = new Probe();
  const rig = await open({}, { iommu: "remapped" }, { device: probe });
  for (let i = 0; i < 5; i++) NdisMAllocateSharedMemoryAsyncEx(rig.dma, 10_000 + i, false, i);
  await rig.machine.run();
  for (const block of rig.nic.blocks) {
    const bytes = rig.nic.services.bytes(block.VirtualAddress, block.Length);
    for (const at of [0, 1, 4095, 4096, block.Length - 1]) {
      bytes[at] = at % 251;
      const into = new Uint8Array(1);
      probe.port.read(block.PhysicalAddress + at, into);
      assert.equal(into[0], at % 251);
    }
  }
});

test("a device that was pulled out plans nothing any more", async () => {
  const probe = new Probe();
  const rig = await open({}, {}, { device: probe });
  let ran = 0;
  probe.port.after(100, () => ran++);
  const cancel = probe.port.after(50, () => ran++);
  cancel();
  await rig.machine.surpriseRemove(rig.adapter);
  await rig.machine.run();
  assert.equal(ran, 0);
});

test.run();
