/** Catalogue group C: reads and writes through the memory, in guard mode and without; sequence 20. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  NDIS_STATUS_PENDING,
  NdisMAllocateSharedMemoryAsyncEx,
  ShmemError,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import type { DeviceModel, DevicePort, MachineOptions } from "../../src/index.js";
import { type Block, check, open, type Rig, refused } from "./rig.js";

/** A device that does what the test says. */
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

const ZONES = [{ base: 2 ** 28, size: 2 ** 22 }];

async function guarded(options: MachineOptions = {}): Promise<Rig & { probe: Probe }> {
  const probe = new Probe();
  const rig = await open({}, { zones: ZONES, guard: { quarantineBytes: 2 ** 18 }, ...options }, { device: probe });
  return { ...rig, probe };
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

test("sequence 20: the device writes past Length: 0xE6/0F at the free, 0x7C/02 at the next allocation", async () => {
  const atFree = await guarded();
  const block = atFree.nic.allocate(1554) as Block;
  atFree.probe.port.write(block.PhysicalAddress + 1550, new Uint8Array(8).fill(0xee));
  assert.throws(
    () => atFree.nic.free(block),
    (error: { code: string; bugCheck: { code: number; parameters: number[] }; message: string }) => {
      assert.equal(error.code, "OVERRUN");
      assert.equal(error.bugCheck.code, 0xe6);
      assert.deepEqual(error.bugCheck.parameters, [0x0f, 5, block.VirtualAddress, block.VirtualAddress + 1554]);
      assert.match(error.message, /0xf became 0xee/);
      return true;
    },
  );
  const atAllocation = await guarded();
  const other = atAllocation.nic.allocate(1554) as Block;
  atAllocation.probe.port.write(other.PhysicalAddress + 1554, Uint8Array.of(1));
  assert.throws(
    () => atAllocation.nic.allocate(100),
    (error: { bugCheck: { code: number; parameters: number[] } }) => {
      assert.deepEqual(error.bugCheck.parameters.slice(0, 2), [0x02, 1]);
      assert.equal(error.bugCheck.code, 0x7c);
      return true;
    },
  );
});

test("misuse C01: a byte past the requested length is OVERRUN, found at free and by a sweep; others keep their bytes", async () => {
  const { machine, nic } = await guarded({ choices: { policy: "collect" } });
  const [a, b] = [nic.allocate(100) as Block, nic.allocate(4096) as Block];
  nic.services.bytes(b.VirtualAddress, 4096).fill(0x77);
  machine.core.bytes(a.VirtualAddress, 101)[100] = 1;
  const found = machine.sweep();
  assert.equal(found.length, 1);
  assert.equal(found[0]?.code, "OVERRUN");
  assert.match(found[0]?.message ?? "", /byte 100, 1 past the end of the block/);
  assert.deepEqual(machine.sweep(), [], "reported once");
  nic.free(a);
  assert.equal(machine.environment.blocks.guardReport().damagedBlocks, 1, "withheld");
  assert.ok(nic.services.bytes(b.VirtualAddress, 4096).every((byte) => byte === 0x77));
});

test("misuse C02: a byte before the block is UNDERRUN", async () => {
  const { machine, nic } = await guarded();
  const block = nic.allocate(100) as Block;
  machine.core.bytes((block.VirtualAddress - 1) as VirtualAddress, 1)[0] = 1;
  assert.equal(
    code(() => nic.free(block)),
    "UNDERRUN",
  );
  assert.deepEqual(machine.violations[0]?.bugCheck?.parameters.slice(0, 2), [0x0f, 4]);
});

test("misuse C03: the slack between Length and the end of the page is not the driver's", async () => {
  const { machine, nic, probe } = await guarded();
  const block = nic.allocate(1554) as Block;
  probe.port.write(block.PhysicalAddress + 4095, Uint8Array.of(1));
  assert.equal(machine.sweep()[0]?.code, "OVERRUN");
});

test("misuse C03, choice C29: with the tail off only the guard frames are watched", async () => {
  const { machine, nic, probe } = await guarded({ choices: { guardTail: "off" } });
  const block = nic.allocate(1554) as Block;
  probe.port.write(block.PhysicalAddress + 4095, Uint8Array.of(1));
  assert.deepEqual(machine.sweep(), []);
  probe.port.write(block.PhysicalAddress + 4096, Uint8Array.of(1));
  assert.equal(machine.sweep()[0]?.code, "OVERRUN");
});

test("misuse C04: the checked accessor refuses what leaves the requested length, with guard and without", async () => {
  for (const guard of [true, false]) {
    const { nic } = await open({}, { zones: ZONES, guard });
    const block = nic.allocate(1554) as Block;
    const { services } = nic;
    const before = services.bytes(block.VirtualAddress, 1554).slice();
    const beyond: [number, number][] = [
      [0, 1555],
      [1554, 1],
      [1550, 8],
      [0, 4096],
      [-1, 1],
      [0, 2 ** 32],
      [8192, 1],
    ];
    for (const [offset, length] of beyond) {
      const where = (block.VirtualAddress + offset) as VirtualAddress;
      assert.equal(
        code(() => services.bytes(where, length)),
        "TRANSLATION_FAULT",
        `${offset} ${length} ${guard}`,
      );
    }
    assert.deepEqual(services.bytes(block.VirtualAddress, 1554).slice(), before);
  }
});

test("misuse C05: a write through a view kept after the free is WRITE_AFTER_FREE, with where it was freed; the block is withheld", async () => {
  const { machine, nic } = await guarded();
  const block = nic.allocate(100) as Block;
  const kept = nic.services.bytes(block.VirtualAddress, 100);
  nic.free(block);
  kept[7] = 0x41;
  const [found] = machine.sweep();
  assert.equal(found?.code, "WRITE_AFTER_FREE");
  assert.match(found?.message ?? "", /byte 7 of the freed block/);
  assert.equal(found?.explain?.freedAt?.call, "NdisMFreeSharedMemory");
  assert.equal(found?.explain?.allocatedAt?.call, "NdisMAllocateSharedMemory");
  assert.equal(machine.environment.blocks.guardReport().damagedBlocks, 1);
});

test("misuse C05: it is also found when the block would leave quarantine, and the block does not come back", async () => {
  const { machine, nic } = await guarded({ guard: { quarantineBytes: 20_000 } });
  const block = nic.allocate(100) as Block;
  const kept = nic.services.bytes(block.VirtualAddress, 100);
  nic.free(block);
  kept[0] = 0;
  for (let i = 0; i < 400; i++) nic.free(nic.allocate(100) as Block);
  assert.equal(machine.violations[0]?.code, "WRITE_AFTER_FREE");
  for (let i = 0; i < 200; i++) assert.notEqual((nic.allocate(100) as Block).VirtualAddress, block.VirtualAddress);
});

test("misuse C06: a read after free sees the fill pattern while the block is in quarantine", async () => {
  const { machine, nic } = await guarded();
  const block = nic.allocate(100) as Block;
  const kept = nic.services.bytes(block.VirtualAddress, 100);
  kept.fill(0x99);
  nic.free(block);
  assert.ok(kept.every((byte) => byte === 0xdd));
  assert.equal(
    code(() => nic.services.bytes(block.VirtualAddress, 1)),
    "TRANSLATION_FAULT",
  );
  assert.equal(machine.environment.blocks.guardReport().quarantinedBlocks, 1);
});

test("misuse C07: contents: pattern, zero, random, untouched; over the slack and after reuse", async () => {
  const whole = async (contents: "pattern" | "zero" | "random" | "untouched", seed = 5): Promise<Uint8Array> => {
    const { machine, nic } = await open({}, { zones: ZONES, choices: { contents }, seed });
    const first = nic.allocate(1554) as Block;
    machine.core.bytes(first.VirtualAddress, 1554).fill(0x31);
    nic.free(first);
    const again = nic.allocate(1554) as Block;
    assert.equal(again.VirtualAddress, first.VirtualAddress, "the same frames come back");
    const page = machine.core.arenaOffsetOf(again.PhysicalAddress as never);
    const bytes = machine.core.bytes(again.VirtualAddress, 1554);
    return new Uint8Array(bytes.buffer, page, 4096).slice();
  };
  assert.ok((await whole("pattern")).every((byte) => byte === 0xcd));
  assert.ok((await whole("zero")).every((byte) => byte === 0));
  const random = await whole("random");
  assert.deepEqual(random, await whole("random"), "from the seed");
  assert.ok(new Set(random).size > 200);
  assert.equal((await whole("untouched"))[0], 0x31);
});

test("misuse H01: bytes that the host took away are STALE_VIEW before anything changes, and a halt still ends", async () => {
  for (const guard of [false, true]) {
    const memory = new WebAssembly.Memory({ initial: 16, maximum: 32 });
    const arena = new Uint8Array(memory.buffer, 0, 2 ** 20);
    const rig = await open({}, { zones: [{ base: 2 ** 28, size: 2 ** 20 }], arena, guard });
    const block = rig.nic.allocate(5000) as Block;
    assert.equal(NdisMAllocateSharedMemoryAsyncEx(rig.dma, 1554, false, 0), NDIS_STATUS_PENDING);
    memory.grow(1);
    const before = [rig.machine.core.digest(), rig.machine.core.imageDigest()];
    const acts: (() => unknown)[] = [
      () => rig.nic.services.bytes(block.VirtualAddress, 1),
      () => rig.nic.allocate(4096),
      () => rig.machine.step(),
      ...(guard ? [() => rig.nic.free(block), () => rig.machine.sweep()] : []),
    ];
    for (const act of acts) assert.throws(act, { code: "STALE_VIEW", field: "arena", value: 0 });
    assert.deepEqual([rig.machine.core.digest(), rig.machine.core.imageDigest()], before);
    assert.equal(rig.adapter.liveBlocks, 1);
    assert.equal(rig.adapter.pending, 1);
    rig.machine.shutdown(rig.adapter);
    assert.equal(rig.machine.release(rig.adapter).length, 1);
    assert.equal(rig.machine.core.stats().liveBlocks, 0);
  }
});

test("misuse C08: a device access that leaves its mapping faults before any byte moves: 0xE6/26", async () => {
  for (const iommu of ["identity", "remapped"] as const) {
    const probe = new Probe();
    const { machine, nic } = await open({}, { zones: ZONES, iommu, choices: { policy: "collect" } }, { device: probe });
    const block = nic.allocate(4096) as Block;
    const beyond = block.PhysicalAddress + 4090;
    assert.equal(
      code(() => probe.port.write(beyond, new Uint8Array(20).fill(1))),
      "TRANSLATION_FAULT",
    );
    assert.ok(
      nic.services.bytes(block.VirtualAddress, 4096).every((byte) => byte === 0xcd),
      "no partial write",
    );
    const into = new Uint8Array(20).fill(9);
    assert.equal(
      code(() => probe.port.read(beyond, into)),
      "TRANSLATION_FAULT",
    );
    assert.ok(
      into.every((byte) => byte === 9),
      "no partial read",
    );
    assert.equal(machine.violations[0]?.bugCheck?.code, 0xe6);
    assert.equal(machine.violations[0]?.bugCheck?.parameters[0], 0x26);
    assert.equal(machine.violations[0]?.basis, iommu === "remapped" ? "documented" : "choice");
    check(machine);
  }
});

test("misuse C09: a device write into a freed block faults, and guard mode names the last owner", async () => {
  for (const guard of [true, false]) {
    const probe = new Probe();
    const { machine, nic } = await open({}, { zones: ZONES, guard, choices: { policy: "collect" } }, { device: probe });
    const block = nic.allocate(100) as Block;
    nic.free(block);
    assert.equal(
      code(() => probe.port.write(block.PhysicalAddress, Uint8Array.of(1))),
      "TRANSLATION_FAULT",
    );
    assert.match(machine.violations[0]?.explain?.text ?? "", /rig/);
  }
});

test("misuse C11: a damaged red zone of a block that is never freed is found by the sweep, and again at release", async () => {
  const { machine, nic, adapter } = await guarded({ choices: { policy: "collect" } });
  const block = nic.allocate(100) as Block;
  machine.core.bytes((block.VirtualAddress + 100) as VirtualAddress, 1)[0] = 1;
  nic.blocks.length = 0;
  await machine.halt(adapter);
  machine.release(adapter);
  assert.ok(machine.violations.some((one) => one.code === "OVERRUN" && one.call === "reclaim"));
});

test("misuse C12: sampling guards about one block in N, the same ones for the same seed", async () => {
  const sample = async (seed: number): Promise<string> => {
    const { machine, nic } = await open({}, { zones: ZONES, guard: { sampleEvery: 4 }, seed });
    let guards = "";
    for (let i = 0; i < 64; i++) {
      const before = machine.environment.blocks.guardReport().guardedBlocks;
      const block = nic.allocate(100) as Block;
      const is = machine.environment.blocks.guardReport().guardedBlocks > before;
      guards += is ? "g" : ".";
      if (is) {
        machine.core.bytes((block.VirtualAddress + 100) as VirtualAddress, 1)[0] = 1;
        assert.equal(
          code(() => nic.free(block)),
          "OVERRUN",
        );
      } else nic.free(block);
    }
    return guards;
  };
  const guards = await sample(3);
  const count = guards.replaceAll(".", "").length;
  assert.ok(count >= 6 && count <= 28, guards);
  assert.equal(await sample(3), guards);
  assert.notEqual(await sample(4), guards);
});

test("misuse A07: guard overhead that does not fit is out of memory for that reason, and statistics show the inflated size", async () => {
  const { machine, nic } = await open({}, { zones: [{ base: 2 ** 28, size: 2 ** 16 }], guard: true });
  assert.equal(nic.allocate(2 ** 16 - 4096), null);
  assert.equal(machine.environment.dispatcher.lastFailure?.reason, "guard");
  nic.allocate(4096);
  assert.equal(machine.core.stats().liveBytes, 3 * 4096);
  check(machine);
});

test("guard mode gives quarantined memory back before it answers out of memory", async () => {
  const { machine, nic, dma } = await open(
    {},
    { zones: [{ base: 2 ** 28, size: 2 ** 16 }], guard: { quarantineBytes: 2 ** 20 } },
  );
  for (let i = 0; i < 40; i++) nic.free(nic.allocate(4096) as Block);
  for (let i = 0; i < 12; i++) assert.equal(NdisMAllocateSharedMemoryAsyncEx(dma, 4096, false, i), NDIS_STATUS_PENDING);
  await machine.run();
  const given = nic.completions.filter((one) => one.VirtualAddress !== null).length;
  assert.equal(given, 5, "16 frames hold 5 guarded blocks of 3 frames");
});

test("misuse B01: in guard mode a second free is 0xE6/03, as under DMA verification", async () => {
  const { machine, nic } = await guarded();
  const block = nic.allocate(100) as Block;
  nic.free(block);
  const error = refused(machine, "ALREADY_FREED", () => nic.free(block));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x03, 1, 0, 0] });
  const other = nic.allocate(8192) as Block;
  refused(machine, "INTERIOR_ADDRESS", () =>
    nic.free({ ...other, VirtualAddress: (other.VirtualAddress + 8) as VirtualAddress }),
  );
  refused(machine, "NEVER_ALLOCATED", () =>
    nic.free({ ...other, VirtualAddress: (other.VirtualAddress - 8) as VirtualAddress }),
  );
  refused(machine, "LENGTH_MISMATCH", () => nic.free({ ...other, Length: 8191 }));
  refused(machine, "CACHED_MISMATCH", () => nic.free({ ...other, Cached: true }));
  refused(machine, "PHYSICAL_MISMATCH", () => nic.free({ ...other, PhysicalAddress: 4096 as never }));
});

test("choice C26: frames freed at DISPATCH_LEVEL return at the next PASSIVE turn", async () => {
  const { machine, nic } = await open({}, { zones: ZONES, choices: { freedFrames: "deferred" } });
  const block = nic.allocate(4096) as Block;
  nic.atDispatch(() => nic.free(block));
  assert.equal(machine.core.stats().liveBytes, 4096, "not yet");
  assert.equal(nic.blocks.length, 0);
  refused(machine, "ALREADY_FREED", () => nic.free(block));
  await machine.run();
  assert.equal(machine.core.stats().liveBytes, 0);
  const other = nic.allocate(4096) as Block;
  nic.free(other);
  assert.equal(machine.core.stats().liveBytes, 0, "at PASSIVE_LEVEL at once");
});

test("remapped: the device has addresses of its own, below 4 GiB and never physical ones", async () => {
  const probe = new Probe();
  const { machine, nic, dma } = await open({}, { iommu: "remapped" }, { device: probe });
  const block = nic.allocate(10_000) as Block;
  assert.notEqual(block.PhysicalAddress, machine.core.physicalOf(block.VirtualAddress));
  assert.ok(block.PhysicalAddress + 10_000 <= 2 ** 32);
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i * 7);
  probe.port.write(block.PhysicalAddress, bytes);
  assert.deepEqual(nic.services.bytes(block.VirtualAddress, 10_000).slice(), bytes);
  refused(machine, "PHYSICAL_MISMATCH", () =>
    nic.free({ ...block, PhysicalAddress: machine.core.physicalOf(block.VirtualAddress) as never }),
  );
  nic.free(block);
  assert.equal(
    code(() => probe.port.readU32(block.PhysicalAddress)),
    "TRANSLATION_FAULT",
  );
  NdisMAllocateSharedMemoryAsyncEx(dma, 1554, false, 0);
  await machine.run();
  probe.port.writeU32(nic.completions[0]?.PhysicalAddress as number, 0xdeadbeef);
  assert.equal(nic.services.readU32(nic.completions[0]?.VirtualAddress as VirtualAddress), 0xdeadbeef);
});

test.run();
