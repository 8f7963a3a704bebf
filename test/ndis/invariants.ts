/**
 * The seven invariants of shared memory, looked at from outside after every step of every test that uses the rig.
 *
 * A step is what the event log counts: every call of the face, every turn and every delivery begins with one, so looking
 * when one begins is looking when the one before has ended, or has called the driver. The first sixty steps of a
 * machine are all looked at, of later ones about one in a thousand. What is found is kept and ends the process with exit
 * code 1, because an error that were thrown there would be contained as the driver's.
 *
 *  1  live blocks never overlap, in virtual, physical or logical space; none crosses a 4 GiB line (choice C14)
 *  2  every PENDING has one callback, none after halt returned
 *  3  first and last byte translate both ways; what lies beside a block faults, or is another's
 *  4  free + held = pool; what is held is the live blocks and what is retired
 *  5  (of whole scenarios: test/ndis/invariants.test.ts and every test that compares with `emptyDigest`)
 *  6  the level is that of the callback that runs, and PASSIVE_LEVEL where none does
 *  7  an adapter owns no byte that its device cannot address
 */
import assert from "node:assert/strict";
import {
  type AdapterHandle,
  AdapterHandleClass,
  type AdapterRecord,
  type DriverObjectHandle,
  DriverObjectHandleClass,
  type DriverObjectRecord,
  environmentOf,
  type NdisEnvironment,
  ShmemError,
  type VirtualAddress,
} from "../../bindings/index.js";
import type { Machine } from "../../src/index.js";

const ALL_OF_THE_FIRST = 60;
const THEN_ONE_IN = 997;

/** What was found to be wrong, in this process. */
const broken: string[] = [];
process.on("exit", () => {
  if (broken.length === 0) return;
  process.stderr.write(`invariants were broken:\n${[...new Set(broken)].slice(0, 10).join("\n")}\n`);
  process.exitCode = 1;
});

/** Something is wrong, and nobody can be thrown at. */
export function complain(what: string): void {
  broken.push(what);
}

const completions = new WeakMap<AdapterRecord, readonly unknown[]>();

/** The list in which an adapter's driver keeps what its completions bring, the moment they come. */
export function completionsOf(handle: AdapterHandle, list: readonly unknown[]): void {
  completions.set(recordOf(handle), list);
}

/** A test moves the adapter's counters by hand: they no longer count what its driver saw. */
export function counterMovedByHand(handle: AdapterHandle): void {
  completions.delete(recordOf(handle));
}

/** The adapter's halt has returned. */
export function isHalted(handle: AdapterHandle): boolean {
  return recordOf(handle).state === 0;
}

function recordOf(handle: AdapterHandle): AdapterRecord {
  return AdapterHandleClass.recordOf(handle) as AdapterRecord;
}

const watched = new WeakSet<NdisEnvironment>();

/** Look at every step of the machine that a driver is loaded into. */
export function watch(object: DriverObjectHandle): void {
  const environment = environmentOf((DriverObjectHandleClass.recordOf(object) as DriverObjectRecord).machine);
  if (watched.has(environment)) return;
  watched.add(environment);
  let step = environment.reporter.step;
  let looking = false;
  let seen = 0;
  Object.defineProperty(environment.reporter, "step", {
    get: () => step,
    set(next: number) {
      step = next;
      seen++;
      if (looking || (seen > ALL_OF_THE_FIRST && seen % THEN_ONE_IN !== 0)) return;
      looking = true;
      try {
        look(environment);
      } catch (error) {
        // A machine that is stopped or disposed has nothing to look at any more.
        const over = error instanceof ShmemError && (error.code === "DISPOSED" || error.code === "STATE_CORRUPT");
        if (!over) complain(`after step ${step - 1}: ${error instanceof Error ? error.stack : String(error)}`);
      } finally {
        looking = false;
      }
    },
  });
}

/** The invariants, where nothing is on the stack. */
export function check(machine: Machine): void {
  const { environment } = machine;
  assert.deepEqual(broken, []);
  look(environment);
  for (const adapter of environment.adapters) {
    assert.equal(environment.dispatcher.requestsOf(adapter).length, adapter.pending, "invariant 2: none is lost");
  }
  assert.equal(environment.irql.current, 0, "invariant 6");
}

interface Stretch {
  readonly from: number;
  readonly to: number;
}

function look(environment: NdisEnvironment): void {
  const { core, dispatcher } = environment;
  assert.deepEqual(core.verify(), []);
  const stats = core.stats();
  assert.equal(stats.freeBytes + stats.liveBytes + stats.withheldBytes, stats.totalBytes, "invariant 4");
  const spaces: Record<"virtual" | "physical" | "logical", Stretch[]> = { virtual: [], physical: [], logical: [] };
  let live = 0;
  for (const adapter of environment.adapters) {
    // A request that is being delivered has left the queue and is counted in the next moment.
    const lost = adapter.pending - dispatcher.requestsOf(adapter).length;
    assert.ok(lost === 0 || (lost === 1 && dispatcher.delivering), `invariant 2: ${lost} requests are nowhere`);
    const told = completions.get(adapter);
    if (told !== undefined) assert.equal(told.length, adapter.completed, "invariant 2: one callback for each");
    live += adapter.liveBlocks;
    const blocks = environment.blocks.liveBlocksOf(adapter);
    assert.equal(blocks.length, adapter.liveBlocks, "invariant 4: the adapter's counter and the core agree");
    for (const { virtual, lengthBytes } of blocks) {
      spaces.virtual.push({ from: virtual, to: virtual + lengthBytes });
      if (core.explain(virtual as VirtualAddress).block?.contiguous === false) continue;
      one(environment, adapter, virtual, lengthBytes);
      const physical = core.physicalOf(virtual as VirtualAddress);
      spaces.physical.push({ from: physical, to: physical + lengthBytes });
      const logical = environment.iommu?.logicalOf(physical) ?? physical;
      assert.notEqual(logical, 0, "invariant 3: the device reaches every live block");
      spaces.logical.push({ from: logical, to: logical + lengthBytes });
    }
  }
  for (const [space, stretches] of Object.entries(spaces)) {
    stretches.sort((a, b) => a.from - b.from);
    for (const [i, { from }] of stretches.entries()) {
      const before = stretches[i - 1];
      assert.ok(before === undefined || before.to <= from, `invariant 1: two live blocks overlap in ${space} space`);
    }
  }
  const { quarantinedBlocks, damagedBlocks } = environment.blocks.guardReport();
  assert.equal(stats.liveBlocks, live + quarantinedBlocks + damagedBlocks, "invariant 4: nothing else is held");
}

/** One contiguous block. */
function one(environment: NdisEnvironment, adapter: AdapterRecord, virtual: number, lengthBytes: number): void {
  const { core } = environment;
  const first = virtual as VirtualAddress;
  const last = (virtual + lengthBytes - 1) as VirtualAddress;
  const physical = core.physicalOf(first);
  const end = physical + lengthBytes - 1;
  assert.equal(Math.floor(physical / 2 ** 32), Math.floor(end / 2 ** 32), "invariant 1: choice C14");
  assert.equal(core.physicalOf(last), end, "invariant 3");
  assert.equal(core.virtualOf(physical), first, "invariant 3");
  assert.equal(core.virtualOf(core.physicalOf(last)), last, "invariant 3");
  if (adapter.dma !== null) {
    assert.ok(end <= adapter.highest, "invariant 7");
    assert.ok(adapter.dma.addresses64 || end < 2 ** 32, "invariant 7");
  }
  // Mappings cover whole frames. In guard mode what lies beside a block is its padding, which the core counts as its.
  if (environment.blocks.guard !== null) return;
  const { frameSize } = core;
  for (const beside of [virtual - 1, virtual + Math.ceil(lengthBytes / frameSize) * frameSize] as VirtualAddress[]) {
    const known = core.explain(beside);
    if (known.state === "live") assert.notEqual(known.block?.virtual, virtual, "invariant 3: no byte of the block");
    else assert.throws(() => core.physicalOf(beside), { code: "TRANSLATION_FAULT" }, "invariant 3");
  }
}
