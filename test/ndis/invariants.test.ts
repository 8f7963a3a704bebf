/**
 * The seven invariants of the NDIS spec, section 17, after every single step of random scenarios: two adapters, one of them
 * 32-bit, every schedule, with guard mode, remapping, deferred frees and injected failures, and misuse mixed in.
 */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { Machine, type MachineOptions, Prng, SCHEDULES } from "../../src/index.js";
import { type Block, check, makeDriver, type Nic } from "./rig.js";

interface Scenario {
  readonly machine: Machine;
  readonly nics: readonly Nic[];
  /** Completions still owed, by context. */
  readonly owed: Set<number>;
  readonly halted: Set<Nic>;
}

async function begin(options: MachineOptions): Promise<Scenario> {
  const machine = await Machine.open({
    zones: [
      { base: 2 ** 28, size: 2 ** 17 },
      { base: 2 ** 32 - 2 ** 16, size: 2 ** 17 },
    ],
    ...options,
    choices: { policy: "collect", ...options.choices },
  });
  const nics: Nic[] = [];
  const owed = new Set<number>();
  const halted = new Set<Nic>();
  for (const Flags of [0, NDIS_SG_DMA_64_BIT_ADDRESS]) {
    const driver = makeDriver(
      {
        description: { Flags },
        complete(nic, completion) {
          assert.ok(owed.delete(completion.Context as number), "invariant 2: exactly one completion for each PENDING");
          assert.ok(!halted.has(nic), "invariant 2: none after halt returned");
          if (completion.VirtualAddress !== null) nic.blocks.push({ ...completion, Cached: false } as unknown as Block);
        },
        async halt(nic) {
          while (owed.size > 0) await nic.services.sleep(100_000);
          nic.freeAll();
          NdisMDeregisterScatterGatherDma(nic.dma as never);
        },
      },
      nics,
    );
    await machine.add(await machine.load(driver));
  }
  return { machine, nics, owed, halted };
}

/** Invariant 1 as pairs: no two live blocks overlap, in any of the three spaces. */
function disjoint(scenario: Scenario): void {
  const blocks = scenario.nics.flatMap((nic) => nic.blocks);
  for (const space of ["VirtualAddress", "PhysicalAddress"] as const) {
    const sorted = [...blocks].sort((a, b) => a[space] - b[space]);
    for (let i = 1; i < sorted.length; i++) {
      const [before, after] = [sorted[i - 1] as Block, sorted[i] as Block];
      assert.ok(before[space] + before.Length <= after[space], `${space} of two live blocks overlap`);
    }
  }
}

function oneStep(scenario: Scenario, prng: Prng, i: number): void {
  const nic = scenario.nics[prng.below(2)] as Nic;
  const block = nic.blocks[prng.below(Math.max(1, nic.blocks.length))];
  switch (prng.below(10)) {
    case 0:
      nic.allocate(1 + prng.below(9000), prng.chance(0.5));
      break;
    case 1:
    case 2:
    case 3: {
      const length = 1 + prng.below(9000);
      const level = prng.chance(0.5);
      const ask = (): number => {
        // Owed before the call: a racing completion comes inside it.
        scenario.owed.add(i);
        return NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, length, false, i);
      };
      if ((level ? nic.atDispatch(ask) : ask()) !== 0x103)
        assert.ok(scenario.owed.delete(i), "no completion for FAILURE");
      break;
    }
    case 4:
    case 5:
      if (block === undefined) break;
      if (prng.chance(0.5)) nic.free(block);
      else nic.atDispatch(() => nic.free(block));
      break;
    case 6:
      if (block !== undefined) misuse(nic, block, prng);
      break;
    default:
      scenario.machine.step();
  }
}

/** A free that is wrong in one way: nothing may change. */
function misuse(nic: Nic, block: Block, prng: Prng): void {
  const wrong: Block[] = [
    { ...block, Length: block.Length + 1 },
    { ...block, Cached: !block.Cached },
    { ...block, VirtualAddress: (block.VirtualAddress + 1) as VirtualAddress },
    { ...block, PhysicalAddress: (block.PhysicalAddress + 4096) as NDIS_PHYSICAL_ADDRESS },
  ];
  const bad = wrong[prng.below(wrong.length)] as Block;
  NdisMFreeSharedMemory(nic.handle, bad.Length, bad.Cached, bad.VirtualAddress, bad.PhysicalAddress);
}

const VARIANTS: readonly MachineOptions[] = [
  {},
  { guard: { quarantineBytes: 40_000 } },
  { guard: { sampleEvery: 3 } },
  { iommu: "remapped" },
  { choices: { freedFrames: "deferred" } },
  { choices: { memoryTaken: "accepted" } },
  { choices: { placement: "packed" } },
  { faults: [{ probability: 0.1 }] },
  { choices: { mapRegisters: 6 } },
];

for (const [index, variant] of VARIANTS.entries()) {
  test(`misuse L01, L02, L05, L06, L07, L08: the invariants hold after every step: ${JSON.stringify(variant)}`, async () => {
    for (const schedule of SCHEDULES) {
      if (schedule === "manual") continue;
      const scenario = await begin({ ...variant, schedule, seed: 100 + index });
      const prng = new Prng(100 + index, 7);
      const empty = scenario.machine.core.digest();
      for (let i = 0; i < 120; i++) {
        oneStep(scenario, prng, i);
        check(scenario.machine);
        disjoint(scenario);
      }
      for (const nic of scenario.nics) {
        const adapter = scenario.machine.adapters.find((one) => one.handle === nic.handle);
        await scenario.machine.halt(adapter as never);
        scenario.halted.add(nic);
        check(scenario.machine);
      }
      await scenario.machine.run();
      assert.equal(scenario.owed.size, 0);
      scenario.machine.environment.blocks.drainQuarantine();
      assert.equal(scenario.machine.core.digest(), empty, "invariant 5: after all frees the pool is what it was");
      assert.ok(
        scenario.machine.violations.every(
          (one) => one.rule === "FreeMatchesAllocation" || one.rule === "FreeOfLiveBlock",
        ),
      );
    }
  });
}

test.run();
