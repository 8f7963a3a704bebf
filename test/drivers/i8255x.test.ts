/** The receive unit alone, over a flat memory that faults outside: descriptors, states, drops, interrupts. */
import * as assert from "node:assert/strict";
import { test } from "uvu";
import { ShmemError } from "../../bindings/index.js";
import {
  I8255x,
  RFD,
  RFD_COMMAND_EL,
  RFD_COMMAND_SUSPEND,
  RFD_COUNT_MASK,
  RFD_STATUS_COMPLETE,
  RFD_STATUS_OK,
  RU_IDLE,
  RU_NO_RESOURCES,
  RU_READY,
  RU_SUSPENDED,
  receiveUnitState,
  SCB,
  SCB_CAUSE_FRAME,
  SCB_CAUSE_NOT_READY,
  SCB_CAUSES,
  SCB_COMMAND_ABORT,
  SCB_COMMAND_RESUME,
  SCB_COMMAND_START,
} from "../../src/devices/index.js";

const BASE = 0x10000;

/** A slot with 64 KiB of memory at BASE, and a clock that the test moves. */
class Slot {
  readonly memory = new Uint8Array(0x10000);
  readonly view = new DataView(this.memory.buffer);
  readonly drops: string[] = [];
  readonly writes: { readonly address: number; readonly lengthBytes: number }[] = [];
  interrupts = 0;
  nowNs = 0;
  #timers: { readonly atNs: number; readonly run: () => void; on: boolean }[] = [];
  readonly device: I8255x;

  constructor() {
    this.device = new I8255x({ onDrop: (reason) => this.drops.push(reason) });
    const slot = this;
    this.device.attach({
      get nowNs() {
        return slot.nowNs;
      },
      read: (logical, into) => into.set(slot.#at(logical, into.length)),
      write: (logical, bytes) => {
        slot.#at(logical, bytes.length).set(bytes);
        slot.writes.push({ address: logical, lengthBytes: bytes.length });
      },
      readU32: (logical) => slot.view.getUint32(logical - BASE, true),
      writeU32: (logical, value) => slot.view.setUint32(logical - BASE, value, true),
      setLine: () => {},
      interrupt: () => {
        slot.interrupts += 1;
      },
      after: (delayNs, run) => {
        const timer = { atNs: slot.nowNs + delayNs, run, on: true };
        slot.#timers.push(timer);
        return () => {
          timer.on = false;
        };
      },
    });
  }

  #at(logical: number, length: number): Uint8Array {
    if (logical < BASE || logical + length > BASE + this.memory.length) {
      throw new ShmemError("TRANSLATION_FAULT", "outside", { value: logical, unit: "address" });
    }
    return this.memory.subarray(logical - BASE, logical - BASE + length);
  }

  pass(ns: number): void {
    this.nowNs += ns;
    const due = this.#timers.filter((timer) => timer.on && timer.atNs <= this.nowNs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const timer of due) timer.run();
  }

  /** Descriptors 2 KiB apart, the last one with `last` as its command. */
  ring(count: number, last: number, size = 1514): number[] {
    const places = Array.from({ length: count }, (_, index) => BASE + index * 2048);
    places.forEach((place, index) => {
      const end = index === count - 1;
      this.view.setUint32(place - BASE + RFD.status, (end ? last : 0) * 0x10000, true);
      this.view.setUint32(place - BASE + RFD.link, end ? 0 : place + 2048, true);
      this.view.setUint32(place - BASE + RFD.count, size * 0x10000, true);
    });
    return places;
  }

  start(place: number): void {
    this.device.writeRegister(SCB.pointer, place);
    this.device.writeRegister(SCB.status, SCB_COMMAND_START);
  }

  status(place: number): number {
    return this.view.getUint16(place - BASE + RFD.status, true);
  }

  frame(place: number): Uint8Array {
    const count = this.view.getUint16(place - BASE + RFD.count, true) & RFD_COUNT_MASK;
    return this.memory.slice(place - BASE + RFD.data, place - BASE + RFD.data + count);
  }

  get state(): number {
    return receiveUnitState(this.device.readRegister(SCB.status));
  }
}

const frameOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff);

test("i8255x: a frame lands behind its descriptor, the status last", () => {
  const slot = new Slot();
  const [first] = slot.ring(3, RFD_COMMAND_EL) as [number];
  slot.start(first);
  slot.device.receive(frameOf(60));
  assert.equal(slot.status(first), RFD_STATUS_COMPLETE | RFD_STATUS_OK);
  assert.deepEqual(slot.frame(first), frameOf(60));
  assert.deepEqual(
    slot.writes.map(({ address }) => address - first),
    [RFD.data, RFD.count, RFD.status],
  );
});

test("i8255x: EL ends in no resources, drops with a reason, and start goes on", () => {
  const slot = new Slot();
  const places = slot.ring(3, RFD_COMMAND_EL);
  slot.start(places[0] as number);
  for (let index = 0; index < 5; index += 1) slot.device.receive(frameOf(100, index));
  assert.equal(slot.state, RU_NO_RESOURCES);
  assert.deepEqual(slot.drops, ["no-buffer", "no-buffer"]);
  places.forEach((place, index) => {
    assert.deepEqual(slot.frame(place), frameOf(100, index));
  });
  slot.ring(1, RFD_COMMAND_EL);
  slot.start(places[0] as number);
  slot.device.receive(frameOf(64, 9));
  assert.deepEqual(slot.frame(places[0] as number), frameOf(64, 9));
});

test("i8255x: S suspends, resume follows the link", () => {
  const slot = new Slot();
  const places = slot.ring(2, RFD_COMMAND_EL);
  slot.view.setUint16((places[0] as number) - BASE + RFD.command, RFD_COMMAND_SUSPEND, true);
  slot.start(places[0] as number);
  slot.device.receive(frameOf(64, 1));
  assert.equal(slot.state, RU_SUSPENDED);
  slot.device.receive(frameOf(64, 2));
  assert.deepEqual(slot.drops, ["no-buffer"]);
  slot.device.writeRegister(SCB.status, SCB_COMMAND_RESUME);
  assert.equal(slot.state, RU_READY);
  slot.device.receive(frameOf(64, 3));
  assert.deepEqual(slot.frame(places[1] as number), frameOf(64, 3));
});

test("i8255x: the longest frame fits, one byte more is oversize, also where the recorder cut it", () => {
  const slot = new Slot();
  const places = slot.ring(3, RFD_COMMAND_EL);
  slot.start(places[0] as number);
  slot.device.receive(frameOf(1514));
  slot.device.receive(frameOf(1515));
  slot.device.receive(frameOf(96), 9000);
  assert.deepEqual(slot.drops, ["oversize", "oversize"]);
  assert.deepEqual(slot.frame(places[0] as number), frameOf(1514));
  assert.equal(slot.status(places[1] as number), 0);
});

test("i8255x: a frame longer than the descriptor's memory is cut and not marked good", () => {
  const slot = new Slot();
  const [first] = slot.ring(2, RFD_COMMAND_EL, 64) as [number];
  slot.start(first);
  slot.device.receive(frameOf(65));
  assert.equal(slot.status(first), RFD_STATUS_COMPLETE);
  assert.deepEqual(slot.frame(first), frameOf(64));
  assert.equal(slot.memory[first - BASE + RFD.data + 64], 0, "nothing behind the size");
});

test("i8255x: off means off, and abort turns it off", () => {
  const slot = new Slot();
  const [first] = slot.ring(2, RFD_COMMAND_EL) as [number];
  slot.device.receive(frameOf(64));
  slot.start(first);
  assert.equal(slot.state, RU_READY);
  slot.device.writeRegister(SCB.status, SCB_COMMAND_ABORT);
  assert.equal(slot.state, RU_IDLE);
  slot.device.receive(frameOf(64));
  assert.deepEqual(slot.drops, ["receiver-off", "receiver-off"]);
});

test("i8255x: a descriptor outside memory stops the unit and asks for attention", () => {
  const slot = new Slot();
  slot.start(0x5000);
  slot.device.receive(frameOf(64));
  assert.equal(slot.state, RU_NO_RESOURCES);
  assert.equal(slot.device.faults, 1);
  assert.deepEqual(slot.drops, ["bus-fault"]);
  assert.equal(slot.device.readRegister(SCB.status) & SCB_CAUSES, SCB_CAUSE_NOT_READY);
  assert.equal(slot.interrupts, 1);
});

test("i8255x: interrupts come after a bundle or a delay, once, and not while masked", () => {
  const slot = new Slot();
  const places = slot.ring(20, RFD_COMMAND_EL);
  slot.start(places[0] as number);
  for (let index = 0; index < 5; index += 1) slot.device.receive(frameOf(64));
  assert.equal(slot.interrupts, 0, "five wait");
  slot.device.receive(frameOf(64));
  assert.equal(slot.interrupts, 1, "the sixth does not");
  assert.equal(slot.device.readRegister(SCB.status) & SCB_CAUSES, SCB_CAUSE_FRAME);
  slot.device.writeRegister(SCB.status, SCB_CAUSE_FRAME);
  slot.pass(1_000_000);
  assert.equal(slot.interrupts, 1, "the wait of the bundle is over with the bundle");
  slot.device.receive(frameOf(64));
  slot.pass(299_999);
  assert.equal(slot.interrupts, 1);
  slot.pass(1);
  assert.equal(slot.interrupts, 2, "300 microseconds after the first frame");
  slot.device.writeRegister(SCB.status, SCB_CAUSE_FRAME | (1 << 24));
  for (let index = 0; index < 6; index += 1) slot.device.receive(frameOf(64));
  assert.equal(slot.interrupts, 2, "masked");
  slot.device.writeRegister(SCB.status, 0);
  assert.equal(slot.interrupts, 3, "unmasked with a cause pending");
});

test("i8255x: running out of descriptors interrupts at once", () => {
  const slot = new Slot();
  slot.start(slot.ring(1, RFD_COMMAND_EL)[0] as number);
  slot.device.receive(frameOf(64));
  assert.equal(slot.interrupts, 1);
  assert.equal(slot.device.readRegister(SCB.status) & SCB_CAUSES, SCB_CAUSE_FRAME | SCB_CAUSE_NOT_READY);
});

test("i8255x: a reset forgets everything, and a register that is not there reads 0", () => {
  const slot = new Slot();
  slot.start(slot.ring(2, RFD_COMMAND_EL)[0] as number);
  slot.device.receive(frameOf(64));
  slot.device.writeRegister(SCB.port, 0);
  assert.equal(slot.state, RU_IDLE);
  assert.equal(slot.device.readRegister(SCB.pointer), 0);
  assert.equal(slot.device.readRegister(0x40), 0);
  slot.pass(1_000_000);
  assert.equal(slot.interrupts, 0, "what was bundled is forgotten too");
});

test("i8255x: a frame of no bytes and a recorder's cut are stored as they are", () => {
  const slot = new Slot();
  const places = slot.ring(3, RFD_COMMAND_EL);
  slot.start(places[0] as number);
  slot.device.receive(new Uint8Array(0), 60);
  slot.device.receive(frameOf(96), 1514);
  assert.equal(slot.frame(places[0] as number).length, 0);
  assert.equal(slot.status(places[0] as number), RFD_STATUS_COMPLETE | RFD_STATUS_OK);
  assert.deepEqual(slot.frame(places[1] as number), frameOf(96));
});

test.run();
