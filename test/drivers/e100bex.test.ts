/** e100bex against the machine: what it asks for, in which order, how it aligns by hand, and what it does when refused. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import type { LogicalAddress, VirtualAddress } from "../../bindings/index.js";
import { readCapture } from "../../src/capture/index.js";
import { RFD, RFD_COMMAND_EL, RFD_STATUS_COMPLETE } from "../../src/devices/index.js";
import { alignedFrame, RECEIVE_FRAME_BYTES, ReceiveList } from "../../src/drivers/e100bex-receive.js";
import { DRIVERS, type DriverModel } from "../../src/drivers/index.js";
import { type Adapter, Machine } from "../../src/machine/index.js";

const e100bex = DRIVERS[0] as DriverModel;
const frames = readCapture(readFileSync("examples/traffic/two-hosts.pcap")).frames.slice(90, 240);

interface Bench {
  readonly machine: Machine;
  readonly adapter: Adapter;
  readonly received: Uint8Array[];
  play(from: number, to: number): Promise<void>;
}

async function bench(arenaFrames = 256, settings: Record<string, unknown> = {}): Promise<Bench> {
  const zones = [{ base: 0x100_0000, size: arenaFrames * 4096 }];
  const machine = await Machine.open({ zones, seed: 5, choices: { policy: "throw" } });
  const received: Uint8Array[] = [];
  const device = e100bex.device({ onDrop: () => {}, interruptLatencyNs: () => 10_000 });
  const loaded = await machine.load(e100bex);
  const adapter = await machine.add(loaded, {
    device,
    settings,
    onFrame: (bytes) => received.push(bytes.slice()),
    holdNs: () => 3_000_000,
  });
  const play = async (from: number, to: number): Promise<void> => {
    const start = frames[from]?.timeNs ?? 0;
    for (const frame of frames.slice(from, to)) {
      machine.after(frame.timeNs - start, () => device.receive(frame.bytes, frame.originalLengthBytes));
    }
    let over = false;
    machine.after((frames[to - 1]?.timeNs ?? 0) - start + 50_000_000, () => {
      over = true;
    });
    await machine.run(() => over);
  };
  return { machine, adapter, received, play };
}

/** Lengths of the calls of one routine, from the log, in order. */
function lengths(machine: Machine, call: string): number[] {
  return machine.log.flatMap((line) => {
    const match = new RegExp(` ${call} (?:#\\d+ )?(\\d+)`).exec(line);
    return match === null ? [] : [Number(match[1])];
  });
}

test("e100bex: initialize takes the blocks of the table, in order, and halt gives everything back", async () => {
  const { machine, adapter } = await bench();
  assert.deepEqual(lengths(machine, "NdisMAllocateSharedMemory"), [50_496, 10_240, 1024, 31_080]);
  assert.equal(adapter.liveBlocks, 4);
  assert.equal(adapter.state, "Running");
  await machine.halt(adapter);
  assert.equal(machine.core.stats().liveBytes, 0);
  assert.deepEqual(machine.violations, []);
  assert.deepEqual(machine.warnings, []);
});

test("e100bex: a receive chunk is halved while above four, until there are twenty frames or no memory", async () => {
  // 24 pages: 13 for the bounce block, 3 and 1 for the others; the chunk of 8 does not fit, nor does a second of 4.
  const { machine, adapter } = await bench(24);
  const asked = lengths(machine, "NdisMAllocateSharedMemory").slice(3);
  assert.deepEqual(
    asked.map((length) => length / RECEIVE_FRAME_BYTES),
    [20, 10, 10, 5, 5, 2, 2],
  );
  assert.equal(adapter.status, 0, "it runs with fewer");
  await machine.halt(adapter);
  assert.equal(machine.core.stats().liveBytes, 0);
});

test("e100bex: without four receive frames it refuses, with an entry in the error log and nothing left", async () => {
  const { machine, adapter } = await bench(18);
  assert.notEqual(adapter.status, 0);
  assert.equal(adapter.state, "Halted");
  assert.equal(adapter.services.errorLog.length, 1);
  assert.equal(machine.core.stats().liveBytes, 0);
  assert.deepEqual(machine.violations, []);
  assert.deepEqual(machine.warnings, [], "SDV rule WriteErrorLog is kept");
});

test("e100bex: growth is asked for at DISPATCH_LEVEL, one request at a time, up to 128 frames", async () => {
  const { machine, adapter, play, received } = await bench(256, { lowWater: 1024 });
  await play(0, 150);
  const calls = machine.log.filter((line) => line.includes(" NdisMAllocateSharedMemoryAsyncEx "));
  assert.ok(calls.length > 50);
  for (const call of calls) assert.match(call, / DISPATCH /);
  let pending = 0;
  for (const line of machine.log) {
    if (line.includes(" NdisMAllocateSharedMemoryAsyncEx ")) pending += 1;
    if (line.includes(" complete #")) pending -= 1;
    assert.ok(pending <= 1, line);
  }
  assert.ok(adapter.liveBlocks <= 4 + 108);
  assert.equal(received.length, 150);
  assert.deepEqual(
    received.map((bytes) => bytes.length),
    frames.map((frame) => frame.bytes.length),
  );
  await machine.halt(adapter);
  assert.deepEqual(machine.violations, []);
});

test("e100bex: the cap holds when traffic wants more", async () => {
  const { machine, adapter } = await bench(512, { lowWater: 1024, receiveFrames: 20 });
  const device = adapter.device as ReturnType<DriverModel["device"]>;
  const frame = new Uint8Array(60);
  for (let index = 0; index < 4000; index += 1) machine.after(index * 50_000, () => device.receive(frame));
  let most = 0;
  let over = false;
  machine.after(4000 * 50_000, () => {
    over = true;
  });
  await machine.run(() => {
    most = Math.max(most, adapter.liveBlocks);
    return over;
  });
  assert.equal(most, 4 + 108, "twenty from the chunk and 108 of their own");
  await machine.halt(adapter);
  assert.equal(machine.core.stats().liveBytes, 0);
});

test("e100bex: silence shrinks the pool at DISPATCH_LEVEL, one block at a time, to what initialize took", async () => {
  const { machine, adapter, play } = await bench();
  await play(0, 150);
  assert.ok(adapter.liveBlocks > 10);
  await machine.run();
  assert.equal(adapter.liveBlocks, 4);
  const frees = machine.log.filter((line) => line.includes(" NdisMFreeSharedMemory "));
  assert.ok(frees.length > 10);
  for (const line of frees) assert.match(line, / DISPATCH /);
  const times = frees.map((line) => Number(line.split(" ")[1]));
  times.forEach((time, index) => {
    if (index > 0) assert.equal(time - (times[index - 1] as number), 100_000_000, "one in each round");
  });
  await play(0, 60);
  await machine.halt(adapter);
  assert.equal(machine.core.stats().liveBytes, 0);
  assert.deepEqual(machine.violations, []);
});

test("e100bex: halt in the middle of a burst waits for requests and for frames that are held", async () => {
  for (let cut = 5; cut < 150; cut += 12) {
    const { machine, adapter } = await bench();
    const device = adapter.device as ReturnType<DriverModel["device"]>;
    const start = frames[0]?.timeNs ?? 0;
    let played = 0;
    for (const frame of frames) {
      machine.after(frame.timeNs - start, () => {
        played += 1;
        device.receive(frame.bytes);
      });
    }
    await machine.run(() => played >= cut);
    await machine.halt(adapter);
    assert.equal(adapter.state, "Halted");
    assert.equal(machine.core.stats().liveBytes, 0, `cut at ${cut}`);
    assert.equal(adapter.pending, 0);
    assert.deepEqual(machine.violations, []);
    await machine.run();
    assert.deepEqual(machine.violations, [], "nothing of the adapter happens afterwards");
  }
});

test("e100bex: two adapters of one driver do not see each other's memory", async () => {
  const machine = await Machine.open({ zones: [{ base: 0x100_0000, size: 1 << 20 }], seed: 9 });
  const loaded = await machine.load(e100bex);
  const cards: { device: ReturnType<DriverModel["device"]>; adapter: Adapter; received: number[] }[] = [];
  for (let index = 0; index < 2; index += 1) {
    const device = e100bex.device({ onDrop: () => {}, interruptLatencyNs: () => 0 });
    const received: number[] = [];
    const adapter = await machine.add(loaded, { device, onFrame: (bytes) => received.push(bytes[0] as number) });
    cards.push({ device, adapter, received });
  }
  for (let index = 0; index < 100; index += 1) {
    machine.after(index * 100_000, () => {
      cards.forEach(({ device }, card) => {
        device.receive(new Uint8Array(60).fill(card));
      });
    });
  }
  await machine.run();
  for (const [card, { adapter, received }] of cards.entries()) {
    assert.deepEqual(received, new Array(100).fill(card));
    await machine.halt(adapter);
  }
  assert.equal(machine.core.stats().liveBytes, 0);
  assert.deepEqual(machine.violations, []);
});

test("e100bex: surprise removal and shutdown leave no violation", async () => {
  const gone = await bench();
  await gone.play(0, 40);
  await gone.machine.surpriseRemove(gone.adapter);
  assert.equal(gone.machine.core.stats().liveBytes, 0);
  assert.deepEqual(gone.machine.violations, []);
  const off = await bench();
  await off.play(0, 40);
  off.machine.shutdown(off.adapter);
  assert.deepEqual(off.machine.violations, []);
});

test("e100bex: the payload is 8-aligned by hand wherever a frame lies, and the shift is 0x0A on a page", () => {
  assert.equal(RECEIVE_FRAME_BYTES, 1554);
  for (let start = 0; start < 4096; start += 1) {
    const original = {
      virtual: (0x4000_0000 + start) as VirtualAddress,
      physical: (0x100_0000 + start) as LogicalAddress,
    };
    const frame = alignedFrame(original, null);
    const shift = frame.virtual - original.virtual;
    assert.equal((frame.virtual + RFD.data + 14) % 8, 0);
    assert.equal(frame.physical - original.physical, shift);
    assert.ok(shift >= 8 && shift <= 15 && shift + RFD.data + 1514 <= RECEIVE_FRAME_BYTES);
    if (start % 8 === 0) assert.equal(shift, 0x0a);
  }
});

test("e100bex: the receive list keeps its links, its end mark and its order through every kind of change", () => {
  const memory = new Map<number, number>();
  const list = new ReceiveList({
    bytes: () => new Uint8Array(0),
    readU32: (address) => memory.get(address) ?? 0,
    writeU32: (address, value) => void memory.set(address, value >>> 0),
  });
  const made = Array.from({ length: 6 }, (_, index) => ({
    virtual: (0x1000 * (index + 1)) as VirtualAddress,
    physical: (0x9000 + 0x1000 * index) as LogicalAddress,
    block:
      index % 2 === 0
        ? null
        : { virtual: 1 as VirtualAddress, physical: 1 as LogicalAddress, lengthBytes: 1554, cached: false },
  }));
  const chain = (): number[] => {
    const order: number[] = [];
    for (let at = list.firstOpen(); at !== undefined; ) {
      order.push(made.indexOf(at as (typeof made)[number]));
      const last = ((memory.get(at.virtual) ?? 0) & (RFD_COMMAND_EL * 0x10000)) !== 0;
      const link = memory.get(at.virtual + RFD.link) ?? 0;
      assert.equal(last, link === 0, "EL exactly at the end");
      at = made.find((frame) => frame.physical === link);
    }
    return order;
  };
  for (const frame of made) list.append(frame);
  assert.deepEqual(chain(), [0, 1, 2, 3, 4, 5]);
  assert.equal(list.takeGrown(), made[5], "the last grown one, here the tail");
  assert.deepEqual(chain(), [0, 1, 2, 3, 4]);
  assert.equal(list.takeGrown(), made[3], "from the middle");
  assert.deepEqual(chain(), [0, 1, 2, 4]);
  memory.set(0x1000, (memory.get(0x1000) ?? 0) | RFD_STATUS_COMPLETE);
  assert.equal(list.completed(), made[0]);
  list.takeHead();
  assert.equal(list.takeGrown(), made[1], "the head");
  assert.deepEqual(chain(), [2, 4]);
  assert.equal(list.takeGrown(), undefined, "what is cut from a chunk stays");
  list.append(made[0] as (typeof made)[number]);
  assert.deepEqual(chain(), [2, 4, 0]);
  assert.equal(list.takeAll().length, 3);
  assert.equal(list.length, 0);
});

test.run();
