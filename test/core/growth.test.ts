/**
 * Linear memory that the engine will not let grow. Misuse G07.
 *
 * The memory that the core is given has a maximum, so it is the engine that refuses, not a stand-in for it. A core gets its
 * memory when it opens, and more of it when its mapping tables are full.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core, compileModule } from "../../bindings/core/index.js";
import { Layout as L } from "../../bindings/generated/layout.js";
import {
  type AllocationHandle,
  type CoreApi,
  type CoreOptions,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisAllocateSharedMemory,
  NdisFreeSharedMemory,
  type VirtualAddress,
} from "../../bindings/index.js";
import { type Block, open as openRig, sharedMemoryParameters } from "../ndis/rig.js";
import { FRAME, MIB, refuses, SMALL, sound, take, untouched } from "./expect.js";

const FRAMES = 4096;
/** A zone whose books take several pages of linear memory, and one whose books fit in the first. */
const WIDE = { base: 16 * MIB, size: 2 ** 16 * FRAME };
const ZONE = { base: 16 * MIB, size: FRAMES * FRAME };
/** Where a snapshot's header begins; its words that count (failures; what was asked of late, three words), or answer. */
const SNAPSHOT_HEADER = 24;
const MAY_CHANGE = [
  ...[L.H_FAILURES, L.H_FAILURES + 4, L.H_REASON, L.H_FAIL_FREE, L.H_FAIL_LONGEST],
  ...[L.H_RECENT_ORDER, L.H_RECENT_ORDER + 4, L.H_RECENT_ORDER + 8, L.H_STEPS, L.H_RESORTS],
  ...[L.H_DIGEST_A, L.H_DIGEST_B, L.H_FOUND_HEAD, L.H_FOUND_FRAMES, L.H_FOUND_LENGTH, L.H_FOUND_ZONE],
];

/** Everything that a core holds but its counters of failures: what out of memory may not touch. */
function stateOf(core: CoreApi): string {
  const snapshot = core.snapshot();
  const view = new DataView(snapshot.buffer);
  view.setFloat64(16, 0); // the checksum
  for (const offset of MAY_CHANGE) view.setUint32(SNAPSHOT_HEADER + offset - L.HEADER, 0);
  const { failures: _, ...counts } = core.stats();
  return `${core.digest()} ${JSON.stringify(counts)} ${Buffer.from(snapshot).toString("base64")}`;
}

const at = (address: number): VirtualAddress => address as VirtualAddress;

/** Every second frame free: a block of several frames can only be gathered, one run for each of them. */
function comb(core: CoreApi): VirtualAddress[] {
  const all = Array.from({ length: FRAMES }, () => take(core, FRAME));
  const odd = (one: VirtualAddress): boolean => (core.physicalOf(one) / FRAME) % 2 === 1;
  const kept = all.filter(odd);
  for (const one of all) if (!kept.includes(one)) core.free(one);
  core.flush();
  return kept;
}

for (const name of ["release", "debug"]) {
  const test = suite(`growth, ${name}`);
  const bytes = new Uint8Array(readFileSync(`build/${name}.wasm`));
  const module = compileModule(bytes);
  const openWithin = (maximumPages: number, options: CoreOptions): Core =>
    Core.openOver(module, options, { maximumPages });

  /** The fewest pages in which a core of a zone opens. */
  const pagesNeeded = (zone = ZONE): number => {
    for (let pages = 1; ; pages++) {
      try {
        openWithin(pages, { zones: [zone], arena: null });
        return pages;
      } catch {
        if (pages === 64) throw new Error("no core of this size opens in 4 MiB");
      }
    }
  };

  test("opening, allocating, freeing and translating detach no buffer", () => {
    const made: { readonly memory: WebAssembly.Memory; readonly buffer: ArrayBuffer }[] = [];
    const real = WebAssembly.Memory;
    WebAssembly.Memory = class extends real {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        super(descriptor);
        made.push({ memory: this, buffer: this.buffer });
      }
    };
    try {
      const zones = Array.from({ length: 64 }, (_, i) => ({ base: (64 - i) * 2 ** 32, size: 2 ** 20 }));
      for (const options of [{ zones: [WIDE] }, { zones: [ZONE], tags: true }, { zones }, SMALL]) {
        const core = Core.openOver(module, { ...options, arena: null });
        const blocks = Array.from({ length: 3000 }, (_, i) => core.allocate(1 + i * 7));
        for (const block of blocks) if (block !== 0) core.virtualOf(core.physicalOf(block));
        core.allocateBatch(new Uint32Array(400).fill(100), new Float64Array(400));
        for (const block of blocks) if (block !== 0) core.free(block);
        sound(core);
      }
    } finally {
      WebAssembly.Memory = real;
    }
    assert.ok(made.length >= 4, `${made.length} memories were made`);
    for (const { memory, buffer } of made) {
      assert.ok(buffer.byteLength > 0);
      assert.ok(memory.buffer === buffer);
    }
  });

  test("misuse G07: a core that the engine gives no memory to is refused when it opens, with what it needs", () => {
    const needed = pagesNeeded(WIDE);
    assert.ok(needed > 1, "a smaller memory than this can be tried");
    for (const pages of [needed - 1, 1]) {
      const error = refuses(() => openWithin(pages, { zones: [WIDE], arena: null }), "INVALID_ARGUMENT");
      assert.is(error.field, "zones");
      assert.is(error.value, 2 ** 16);
      const [, wanted] = /the engine refuses (\d+) bytes of metadata/.exec(error.message) ?? [];
      assert.ok(Number(wanted) > pages * 65536 && Number(wanted) <= needed * 65536, error.message);
    }
    // What needs less opens over the same module, and works.
    const small = openWithin(needed - 1, SMALL);
    small.free(take(small, FRAME));
    sound(small);
  });

  test("misuse G07: a block that cannot be registered is out of memory, never an exception, and nothing has changed", () => {
    const core = openWithin(pagesNeeded(), { zones: [ZONE], arena: null });
    const empty = core.digest();
    const kept = comb(core);
    const scattered: VirtualAddress[] = [];
    // Blocks of three pieces, until the tables are full and may not grow.
    for (;;) {
      const before = stateOf(core);
      const block = core.allocate(3 * FRAME, { contiguous: false });
      if (block !== 0) {
        scattered.push(block);
        continue;
      }
      assert.ok(stateOf(core) === before, "a refused growth leaves no trace but in the counters of failures");
      break;
    }
    const { freeBytes } = core.stats();
    assert.ok(scattered.length > 10, `${scattered.length} blocks were registered first`);
    assert.ok(freeBytes > 3 * FRAME, "it is not the frames that are short");
    assert.is(core.lastFailure?.freeBytes, freeBytes);
    sound(core);
    const unbound = openWithin(64, { zones: [ZONE], arena: null });
    comb(unbound);
    for (let i = 0; i <= scattered.length; i++) take(unbound, 3 * FRAME, { contiguous: false });
    // Foreign ranges stand in the same tables: an argument is refused, as the page of `map` says.
    const runs = Array.from({ length: 4096 }, (_, i) => ({ physical: 2 ** 40 + 2 * i * FRAME, lengthBytes: FRAME }));
    untouched(core, () => core.map(at(2 ** 50), runs), "INVALID_ARGUMENT");
    // What needs no new run goes on: single frames, frees, and what a free makes room for.
    const single = take(core, FRAME);
    core.free(single);
    core.free(scattered.pop() as VirtualAddress);
    scattered.push(take(core, 3 * FRAME, { contiguous: false }));
    for (const one of [...scattered, ...kept]) core.free(one);
    core.flush();
    assert.is(core.digest(), empty);
    sound(core);
  });

  test("misuse G07: a batch whose entries cannot be registered serves the others", () => {
    const core = openWithin(pagesNeeded(), { zones: [ZONE], arena: null });
    comb(core);
    while (core.allocate(3 * FRAME, { contiguous: false }) !== 0);
    const addresses = new Float64Array(4);
    assert.is(core.allocateBatch(Uint32Array.of(FRAME, 2 * FRAME, FRAME, 100), addresses), 3);
    assert.equal(
      [...addresses].map((address) => address !== 0),
      [true, false, true, true],
    );
    sound(core);
  });

  test("misuse G07: a snapshot that needs more memory than there is to be had is BAD_SNAPSHOT, and nothing is loaded", () => {
    const wide = openWithin(64, { zones: [ZONE], arena: null });
    const runs = Array.from({ length: 4096 }, (_, i) => ({ physical: 2 ** 40 + 2 * i * FRAME, lengthBytes: FRAME }));
    wide.map(at(2 ** 50), runs);
    const snapshot = wide.snapshot();
    const core = openWithin(pagesNeeded(), { zones: [ZONE], arena: null });
    const block = take(core, 3 * FRAME);
    const error = untouched(core, () => core.restore(snapshot), "BAD_SNAPSHOT");
    assert.is(error.unit, "bytes");
    assert.instance(error.cause, RangeError);
    assert.is(core.lengthOf(block), 3 * FRAME);
  });

  test("misuse G07: NdisAllocateSharedMemory answers RESOURCES", async () => {
    const rig = await openRig(
      {},
      { zones: [ZONE], arena: null, core: (options) => openWithin(pagesNeeded() + 1, options) },
    );
    const { core } = rig.machine;
    const blocks = Array.from({ length: FRAMES }, () => rig.nic.allocate(FRAME) as Block);
    for (const block of blocks) if ((block.PhysicalAddress / FRAME) % 2 === 0) rig.nic.free(block);
    core.flush();
    const kept = rig.adapter.liveBlocks;
    const ask = (): ReturnType<typeof NdisAllocateSharedMemory> =>
      NdisAllocateSharedMemory(rig.handle, sharedMemoryParameters(3 * FRAME, { SGListBufferLength: 16 + 24 * 3 }));
    const taken: AllocationHandle[] = [];
    for (;;) {
      const before = stateOf(core);
      const { Status, AllocationHandle: allocation } = ask();
      if (Status === NDIS_STATUS_SUCCESS && allocation !== null) {
        taken.push(allocation);
        continue;
      }
      assert.is(Status, NDIS_STATUS_RESOURCES);
      assert.is(allocation, null);
      assert.ok(stateOf(core) === before);
      break;
    }
    assert.ok(taken.length > 10);
    assert.is(rig.adapter.liveBlocks, kept + taken.length);
    assert.equal(rig.machine.violations, []);
    for (const one of taken) NdisFreeSharedMemory(rig.handle, one);
    assert.is(rig.adapter.liveBlocks, kept);
    sound(core);
    await rig.machine.halt(rig.adapter);
    assert.is(core.digest(), rig.emptyDigest);
  });

  test.run();
}
