/**
 * Translate: from a virtual address to a physical one, one at a time, and as the runs of a scatter/gather list.
 *
 * The addresses lie in 4096 live blocks of random sizes, visited in random order; `batch in Wasm` does them all in one call. `loop alone` reads the same addresses
 * and is part of every other row; a table and a Map say what the plainest JavaScript would cost.
 */
import { Core, type VirtualAddress } from "../../bindings/core/index.js";
import { openModule } from "../subjects/index.js";
import { type Probe, probe } from "../timing/index.js";
import { MIB, xorshift32 } from "../workloads/index.js";

const BLOCKS = 4096;
const ADDRESSES = 8192;
const LISTS = 2048;
const SIZES_KIB: readonly number[] = [2, 16, 64, 256];

interface Scene {
  readonly core: Core;
  readonly addresses: Float64Array;
  readonly frameSize: number;
}

const PLACE = { arenaBytes: 512 * MIB, frameSize: 4096 } as const;

function scene(): Scene {
  const { arenaBytes, frameSize } = PLACE;
  const core = Core.openSync({ zones: [{ base: 2 ** 32, size: arenaBytes }], frameSize, arena: null });
  return { core, addresses: addressesIn((bytes) => core.allocate(bytes)), frameSize };
}

/** Fill with blocks of random sizes, and choose bytes of them. */
function addressesIn(allocate: (bytes: number) => number): Float64Array {
  const random = xorshift32(7);
  const blocks: { at: number; bytes: number }[] = [];
  for (let i = 0; i < BLOCKS; i += 1) {
    const bytes = 1 + (random() % (1 << (10 + (random() % 8))));
    const at = allocate(bytes);
    if (at === 0) throw new Error("the scene does not fit");
    blocks.push({ at, bytes });
  }
  const addresses = new Float64Array(ADDRESSES);
  for (let i = 0; i < ADDRESSES; i += 1) {
    const { at, bytes } = blocks[random() % BLOCKS] as { at: number; bytes: number };
    addresses[i] = at + (random() % bytes);
  }
  return addresses;
}

/** All addresses in one call, inside Wasm. */
function batch(): Body {
  const wasm = openModule(PLACE);
  const addresses = addressesIn((bytes) => {
    const frame = wasm.allocate(bytes) >>> 0;
    return frame === 0 ? 0 : wasm.virtualOf(frame);
  });
  const virtuals = wasm.memory.buffer.byteLength;
  wasm.memory.grow(Math.ceil((2 * addresses.byteLength) / 65536));
  new Float64Array(wasm.memory.buffer, virtuals, ADDRESSES).set(addresses);
  return (count) => {
    let live = 0;
    for (let done = 0; done < count; done += ADDRESSES) {
      live += wasm.translateMany(virtuals, virtuals + addresses.byteLength, ADDRESSES);
    }
    if (live !== count) throw new Error("an address did not translate");
    return live;
  };
}

type Body = (count: number) => number;

function each({ addresses }: Scene, look: (address: number) => number): Body {
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += look(addresses[i & (ADDRESSES - 1)] as number);
    return sum;
  };
}

function table({ core, addresses, frameSize }: Scene): (address: number) => number {
  const lowest = Math.floor(Math.min(...addresses) / frameSize);
  const frames = Math.floor(Math.max(...addresses) / frameSize) - lowest + 1;
  const physical = new Float64Array(frames);
  for (const address of addresses) {
    const frame = Math.floor(address / frameSize);
    physical[frame - lowest] = core.physicalOf((frame * frameSize) as VirtualAddress);
  }
  return (address) => {
    const frame = Math.floor(address / frameSize);
    return (physical[frame - lowest] as number) + (address - frame * frameSize);
  };
}

function map({ core, addresses, frameSize }: Scene): (address: number) => number {
  const physical = new Map<number, number>();
  for (const address of addresses) {
    const start = Math.floor(address / frameSize) * frameSize;
    physical.set(start, core.physicalOf(start as VirtualAddress));
  }
  return (address) => {
    const start = Math.floor(address / frameSize) * frameSize;
    return (physical.get(start) ?? 0) + (address - start);
  };
}

/** Scatter/gather runs of whole blocks. */
function lists(kib: number, contiguous: boolean): Body {
  const bytes = kib * 1024;
  const core = Core.openSync({ zones: [{ base: 2 ** 32, size: 64 * MIB }], frameSize: 2048, arena: null });
  let at: number = core.allocate(bytes);
  if (!contiguous) {
    // Every other frame is taken, so that a block of many frames has to be gathered.
    core.free(at as VirtualAddress);
    const taken: VirtualAddress[] = [];
    for (let one = core.allocate(1); one !== 0; one = core.allocate(1)) taken.push(one);
    taken.sort((a, b) => a - b);
    for (let i = 0; i < taken.length; i += 2) core.free(taken[i] as VirtualAddress);
    at = core.allocate(bytes, { contiguous: false });
  }
  if (at === 0) throw new Error("the block does not fit");
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += core.runs(at as VirtualAddress, bytes).length;
    return sum;
  };
}

const ONE: Readonly<Record<string, (scene: Scene) => Body>> = {
  "loop alone": (given) => each(given, (address) => address),
  "one address": (given) => each(given, (address) => given.core.physicalOf(address as VirtualAddress)),
  "JS table": (given) => each(given, table(given)),
  "JS Map": (given) => each(given, map(given)),
};

const BATCH = "batch in Wasm";

/** What can be measured. */
export const TRANSLATIONS: readonly string[] = [
  ...Object.keys(ONE),
  BATCH,
  ...SIZES_KIB.map((kib) => `runs ${kib} KiB`),
  ...SIZES_KIB.map((kib) => `gathered ${kib}K`),
];

/** The task `translate`. */
export function measureTranslation({ variant, rounds }: { readonly variant: string; readonly rounds: number }): Probe {
  const one = Object.hasOwn(ONE, variant) ? ONE[variant] : undefined;
  if (one !== undefined) return probe("translate", variant, ADDRESSES * 16, rounds, one(scene()));
  if (variant === BATCH) return probe("translate", variant, ADDRESSES * 16, rounds, batch());
  const contiguous = variant.startsWith("runs ");
  const kib = SIZES_KIB.find((size) => variant === (contiguous ? `runs ${size} KiB` : `gathered ${size}K`));
  if (kib === undefined) throw new Error(`there is no translation ${variant}`);
  return probe("translate", variant, contiguous ? LISTS : LISTS / 4, rounds, lists(kib, contiguous));
}
