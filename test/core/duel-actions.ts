/**
 * What a duel plays: every call of `CoreApi`, with good and with bad arguments.
 */

import * as assert from "uvu/assert";
import type { AllocateOptions, AllocationBatch, PhysicalAddress, VirtualAddress } from "../../bindings/index.js";
import type { Action, Duel, Held } from "./duel.js";

const FOREIGN_VIRTUAL = 2 ** 50;
const FOREIGN_PHYSICAL = 2 ** 51;

function totalBytes(duel: Duel): number {
  return duel.options.zones.reduce((sum, zone) => sum + zone.size, 0);
}

/** Mostly a few frames, often any power of ten's worth, sometimes a large part of everything. */
function someLength(duel: Duel): number {
  const { below, core } = duel;
  const kind = below(20);
  if (kind < 8) return 1 + below(4 * core.frameSize);
  if (kind < 12) return core.frameSize * 2 ** below(8);
  if (kind < 19) return Math.max(1, Math.floor(core.frameSize * 2 ** below(8) * (1 + below(1000) / 500)) - below(3));
  return 1 + below(Math.min(totalBytes(duel), 2 ** 32 - 1) / (1 + below(16)));
}

function tagged(duel: Duel, options: AllocateOptions): AllocateOptions {
  return duel.options.tags === true && duel.below(2) === 0 ? { ...options, tag: duel.below(4) } : options;
}

/** Anywhere in a zone, or within a byte of the end of a frame. */
function someHighest(duel: Duel): number {
  const { below, core } = duel;
  const { base, size } = duel.zone();
  if (below(3) === 0) return base + below(size);
  // Near the start of a zone few frames compete, so that the very last byte decides.
  const frames = size / core.frameSize;
  return base + below(below(2) === 0 ? frames + 1 : Math.min(frames + 1, 9)) * core.frameSize + below(3) - 2;
}

function someConstraints(duel: Duel): AllocateOptions {
  const { below, core } = duel;
  const alignments = Math.floor(Math.log2(totalBytes(duel)));
  return tagged(duel, {
    ...(below(3) === 0
      ? { alignment: 2 ** below(below(3) === 0 ? alignments + 1 : Math.min(alignments + 1, 20)) }
      : {}),
    ...(below(4) === 0 ? { boundary: core.frameSize * 2 ** (below(20) - 2) } : {}),
    ...(below(3) === 0 ? { highest: someHighest(duel) } : {}),
    ...(below(4) === 0 ? { node: below(3) } : {}),
    ...(below(4) === 0 ? { preferredNode: below(3) } : {}),
  });
}

/** An address worth asking about: starts, insides, ends, frames, edges of windows, mappings, former starts, anything. */
function someAddress(duel: Duel): VirtualAddress {
  const { below, core } = duel;
  const held = duel.pick(duel.held);
  const zone = duel.zone();
  const window = 2 ** 46;
  const frame = below(zone.size / core.frameSize) * core.frameSize;
  const at = ((): number => {
    switch (below(10)) {
      case 0:
        return held?.address ?? 1;
      case 1:
        return (held?.address ?? 1) + below(held?.lengthBytes ?? 1);
      case 2:
        return (held?.address ?? 1) + (held?.lengthBytes ?? 1) + below(2 * core.frameSize);
      case 3:
        return duel.pick(duel.gone) ?? 2;
      case 4:
        return (duel.pick(duel.mapped) ?? FOREIGN_VIRTUAL) + below(3000) - 3;
      case 5:
        return window + zone.base + frame;
      case 6:
        return window + zone.base + frame + below(core.frameSize);
      case 7:
        return window + zone.base + (below(2) === 0 ? -1 : zone.size) + below(3);
      case 8:
        return (held?.address ?? 1) + 2 ** 32 * below(3);
      default:
        return below(2 ** 26) * 2 ** below(27);
    }
  })();
  return Math.min(Math.max(at, 0), 2 ** 52 - 1) as VirtualAddress;
}

function somePhysical(duel: Duel): PhysicalAddress {
  const { below } = duel;
  const zone = duel.zone();
  const at = [
    zone.base + below(zone.size),
    zone.base + (below(2) === 0 ? -1 : zone.size),
    FOREIGN_PHYSICAL + below(64) * 4096 + below(100),
    below(2 ** 26) * 2 ** below(27),
  ][below(4)] as number;
  return Math.min(at, 2 ** 52 - 1) as PhysicalAddress;
}

/** Refused calls leave both digests alone; looked at now and then, because a digest costs a walk. */
function watched(duel: Duel, play: () => void): void {
  if (duel.below(40) !== 0) {
    play();
    return;
  }
  const before = [duel.core.digest(), duel.core.imageDigest(), duel.core.lastFailure];
  play();
  assert.equal([duel.core.digest(), duel.core.imageDigest(), duel.core.lastFailure], before, "untouched");
}

function wrongFree(duel: Duel): void {
  const { below } = duel;
  const held = duel.pick(duel.held);
  const aimed = held !== undefined && below(3) === 0;
  const address = aimed ? held.address : someAddress(duel);
  if (!aimed && duel.judge.explain(address).block?.virtual === address) return;
  const off = [0, -1, 1, duel.core.frameSize, held?.lengthBytes ?? 3, -duel.core.frameSize][below(6)] as number;
  const length = Math.min(Math.max(0, (held?.lengthBytes ?? 5) + (aimed && off === 0 ? 7 : off)), 2 ** 32 - 1);
  const tag = duel.options.tags === true && below(2) === 0 ? below(4) : undefined;
  watched(duel, () => {
    duel.both(`wrong free ${address} ${length} ${tag}`, (subject) => subject.free(address, length, tag));
  });
}

function allocateWrongly(duel: Duel): void {
  const length = duel.pick([0, -1, 2 ** 32, 1.5, Number.NaN, 1]) as number;
  const wrong: readonly object[] = [
    { alignment: 3 },
    { alignment: 2 ** 52 },
    { boundary: 0 },
    { highest: -1 },
    { node: 65536 },
    { contiguous: 1 },
    { tag: 2 ** 32 },
    { align: 8 },
  ];
  const options = duel.pick(wrong);
  watched(duel, () => {
    duel.both(`allocate ${length} ${JSON.stringify(options)}`, (subject) => subject.allocate(length, options));
  });
}

function allocateBatch(duel: Duel): void {
  const lengths = Uint32Array.from({ length: duel.below(40) }, () => someLength(duel));
  if (duel.below(10) === 0 && lengths.length > 0) {
    lengths[duel.below(lengths.length)] = 0;
    watched(duel, () => {
      duel.both("batch with a 0", (subject) => subject.allocateBatch(lengths, new Float64Array(lengths.length)));
    });
    return;
  }
  const [addresses, physicals] = [new Float64Array(lengths.length), new Float64Array(lengths.length)];
  duel.note(`batch of ${lengths.join(" ")}`);
  const served = duel.core.allocateBatch(lengths, addresses, physicals);
  assert.is(served, addresses.filter((address) => address !== 0).length);
  addresses.forEach((address, i) => {
    duel.follow(address, lengths[i] as number);
    assert.is(physicals[i], address === 0 ? 0 : duel.judge.physicalOf(address as VirtualAddress));
  });
}

function serveBatch(duel: Duel): void {
  const { below } = duel;
  const count = below(40);
  const zone = duel.zone();
  const batch: AllocationBatch = {
    count,
    lengths: Uint32Array.from({ length: count }, () => someLength(duel)),
    highest: Float64Array.from({ length: count }, () => (below(2) === 0 ? zone.base + below(zone.size) : 2 ** 52 - 1)),
    tags: Uint32Array.from({ length: count }, () => below(4)),
    addresses: new Float64Array(count),
    physicals: new Float64Array(count),
  };
  duel.note(`serve ${count} of ${batch.lengths.join(" ")}`);
  const served = duel.core.serveBatch(batch);
  assert.is(served, batch.addresses.filter((address) => address !== 0).length);
  batch.addresses.forEach((address, i) => {
    const options = { highest: batch.highest[i] as number };
    const tag = batch.tags[i] as number;
    duel.follow(address, batch.lengths[i] as number, duel.options.tags === true ? { ...options, tag } : options);
    assert.is(batch.physicals[i], address === 0 ? 0 : duel.judge.physicalOf(address as VirtualAddress));
  });
}

function freeBatch(duel: Duel): void {
  const { below } = duel;
  const blocks: Held[] = [];
  for (let i = below(30); i > 0 && duel.held.length > 0; i--) blocks.push(duel.drop() as Held);
  const addresses: number[] = blocks.map((block) => block.address);
  if (below(3) !== 0) {
    duel.both(`free batch of ${addresses.length}`, (subject) => subject.freeBatch(Float64Array.from(addresses)));
    return;
  }
  duel.held.push(...blocks);
  const wrong = below(2) === 0 ? (addresses[below(addresses.length)] ?? 0) : someAddress(duel);
  if (duel.judge.explain(wrong as VirtualAddress).block?.virtual === wrong && !addresses.includes(wrong)) return;
  addresses.splice(below(addresses.length + 1), 0, wrong);
  watched(duel, () => {
    duel.both(`free batch with ${wrong}`, (subject) => subject.freeBatch(Float64Array.from(addresses)));
  });
}

function map(duel: Duel): void {
  const { below } = duel;
  const virtual = (below(4) === 0 ? someAddress(duel) : FOREIGN_VIRTUAL + below(64) * 1000) as VirtualAddress;
  const runs = Array.from({ length: below(4) + (below(20) === 0 ? 0 : 1) }, () => ({
    physical: below(10) === 0 ? somePhysical(duel) : FOREIGN_PHYSICAL + below(64) * 4096 + below(8) * 10,
    lengthBytes: [10, 20, 1 + below(300), 4096][below(4)] as number,
  }));
  const known = duel.judge.explain(virtual).state;
  const result = duel.both(
    `map ${virtual} ${JSON.stringify(runs)} (${known})`,
    (subject) => subject.map(virtual, runs),
    "code",
  );
  if ("value" in result) duel.mapped.push(virtual);
}

function unmap(duel: Duel): void {
  const at = duel.below(duel.mapped.length);
  const known = duel.mapped[at];
  const inside = duel.below(4) === 0 ? duel.below(40) : 0;
  const near = ((known ?? FOREIGN_VIRTUAL) + inside) as VirtualAddress;
  const virtual = duel.below(3) === 0 ? someAddress(duel) : near;
  const result = duel.both(`unmap ${virtual}`, (subject) => subject.unmap(virtual));
  if ("value" in result) duel.mapped.splice(duel.mapped.indexOf(virtual), 1);
}

function askRuns(duel: Duel): void {
  const { below } = duel;
  const held = duel.pick(duel.held);
  const inside = below(held?.lengthBytes ?? 1);
  const address = (held === undefined || below(3) === 0 ? someAddress(duel) : held.address + inside) as VirtualAddress;
  const rest = (held?.lengthBytes ?? 1) - inside;
  const length = 1 + below(below(3) === 0 ? 3 * rest : rest);
  duel.both(`runs ${address} ${length}`, (subject) => subject.runs(address, Math.min(length, 2 ** 52 - address)));
}

function explain(duel: Duel): void {
  const address = someAddress(duel);
  duel.both(`explain ${address}`, (subject) => {
    const { text, ...rest } = subject.explain(address);
    assert.ok(text.length > 0);
    return rest;
  });
}

/** Everything, with its usual share. */
export const actions: readonly Action[] = [
  { name: "allocate", weight: 20, grows: 1, play: (duel) => duel.allocate(someLength(duel)) },
  {
    name: "allocate tagged",
    weight: 4,
    grows: 1,
    play: (duel) => duel.allocate(someLength(duel), tagged(duel, {})),
  },
  {
    name: "allocate constrained",
    weight: 10,
    grows: 1,
    play: (duel) => duel.allocate(someLength(duel), someConstraints(duel)),
  },
  {
    name: "allocate scattered",
    weight: 4,
    grows: 1,
    play: (duel) =>
      duel.allocate(someLength(duel), { ...(duel.below(2) === 0 ? someConstraints(duel) : {}), contiguous: false }),
  },
  { name: "allocate wrongly", weight: 1, grows: 0, play: allocateWrongly },
  { name: "allocate batch", weight: 1, grows: 1, play: allocateBatch },
  { name: "serve batch", weight: 1, grows: 1, play: serveBatch },
  {
    name: "free",
    weight: 35,
    grows: -1,
    play: (duel) => {
      const block = duel.drop();
      if (block !== undefined) duel.free(block);
    },
  },
  { name: "free batch", weight: 2, grows: -1, play: freeBatch },
  { name: "wrong free", weight: 6, grows: 0, play: wrongFree },
  {
    name: "length of",
    weight: 3,
    grows: 0,
    play: (duel) => {
      const address = someAddress(duel);
      duel.both(`length of ${address}`, (subject) => subject.lengthOf(address));
    },
  },
  {
    name: "translate",
    weight: 6,
    grows: 0,
    play: (duel) => {
      const address = someAddress(duel);
      if (duel.judge.explain(address).zone < 0) duel.lookup(`translate ${address}`, (one) => one.translate(address));
      else duel.both(`translate ${address}`, (subject) => subject.translate(address));
      duel.both(`physical of ${address}`, (subject) => subject.physicalOf(address));
    },
  },
  {
    name: "translate physical",
    weight: 6,
    grows: 0,
    play: (duel) => {
      const physical = somePhysical(duel);
      duel.lookup(`translate physical ${physical}`, (subject) => subject.translatePhysical(physical));
    },
  },
  { name: "runs", weight: 4, grows: 0, play: askRuns },
  { name: "explain", weight: 3, grows: 0, play: explain },
  { name: "map", weight: 3, grows: 0, play: map },
  { name: "unmap", weight: 3, grows: 0, play: unmap },
  {
    name: "arena offset",
    weight: 1,
    grows: 0,
    play: (duel) => {
      const physical = somePhysical(duel);
      duel.both(`arena offset of ${physical}`, (subject) => subject.arenaOffsetOf(physical));
    },
  },
  { name: "flush", weight: 1, grows: 0, play: (duel) => duel.core.flush() },
];

/** Snapshots copy everything: rare. */
export const rareActions: readonly Action[] = [
  { name: "save", weight: 1, grows: 0, play: (duel) => duel.below(10) === 0 && duel.save() },
  { name: "load", weight: 1, grows: 0, play: (duel) => duel.below(20) === 0 && duel.load() },
];
