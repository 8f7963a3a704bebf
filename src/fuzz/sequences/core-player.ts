/**
 * A sequence played on a core, the small model following: the fastest of our own targets.
 *
 * One core and one model are kept for each geometry and rewound before each sequence, so a sequence costs what it does
 * and not what a core costs to open. Every answer is judged when it is given; at the end everything is freed and the
 * digest of the beginning must be back.
 */
import {
  type AllocateOptions,
  type CoreApi,
  type CoreOptions,
  type CorePlan,
  type PhysicalAddress,
  planCore,
  type VirtualAddress,
} from "../../../bindings/index.js";
import { GEOMETRIES } from "./geometries.js";
import { constraintsOfModifier, lengthOfValue } from "./operations.js";
import type { AllocationSequence, Operation } from "./sequence.js";
import { type SmallBlock, type SmallImage, SmallModel } from "./small-model.js";
import { findingOf, guardSubject, refusalCode, SubjectFault } from "./subject-fault.js";

/** A core that can be rewound to a snapshot of its own: `Core` can. */
export interface RewindableCore extends CoreApi {
  rewind(snapshot: Uint8Array): void;
}

/** Opens a fresh core. */
export type OpenCore = (options: CoreOptions) => RewindableCore;

/** What a sequence came to: the operation that was answered wrongly, and why. */
export interface CoreFinding {
  /** Index of the operation; their number for what the end found. */
  readonly step: number;
  readonly message: string;
}

interface Fixture {
  readonly core: RewindableCore;
  readonly fresh: Uint8Array;
  readonly digest: string;
  readonly plan: CorePlan;
  readonly model: SmallModel;
}

const BATCH = 64;

/** Plays sequences on cores that `open` makes. */
export class CorePlayer {
  readonly #open: OpenCore;
  readonly #fixtures: (Fixture | undefined)[] = [];
  readonly #lengths: Uint32Array = new Uint32Array(BATCH);
  readonly #addresses: Float64Array = new Float64Array(BATCH);
  readonly #physicals: Float64Array = new Float64Array(BATCH);
  /** Where a play tells its reproduction, one line for each operation. */
  #log: ((line: string) => void) | undefined;
  #saved: { readonly snapshot: Uint8Array; readonly image: SmallImage } | undefined;
  /** Operations played so far; a batch counts as its entries. */
  operations = 0;

  constructor(open: OpenCore) {
    this.#open = open;
  }

  /** Play one sequence. Undefined where every answer was right. */
  play(sequence: AllocationSequence, log?: (line: string) => void): CoreFinding | undefined {
    const fixture = this.#fixture(sequence.geometry);
    fixture.core.rewind(fixture.fresh);
    fixture.model.reset();
    this.#saved = undefined;
    this.#log = log;
    const { operations } = sequence;
    let step = 0;
    try {
      for (; step < operations.length; step++) this.#step(fixture, operations[step] as Operation);
      this.#drain(fixture);
    } catch (error) {
      this.#fixtures[sequence.geometry] = undefined; // a core that was wrong once is not used again
      return findingOf(error, step);
    } finally {
      this.operations += operations.length;
    }
    return undefined;
  }

  #fixture(geometry: number): Fixture {
    const known = this.#fixtures[geometry];
    if (known !== undefined) return known;
    const { options } = GEOMETRIES[geometry] as (typeof GEOMETRIES)[number];
    const core = guardSubject(this.#open(options));
    const plan = planCore(options);
    const fixture = { core, fresh: core.snapshot(), digest: core.digest(), plan, model: new SmallModel(plan) };
    this.#fixtures[geometry] = fixture;
    return fixture;
  }

  #step(fixture: Fixture, operation: Operation): void {
    const { kind, value, modifier } = operation;
    switch (kind) {
      case "allocate":
      case "allocateLarge":
        this.#allocate(fixture, lengthOfValue(value, kind === "allocateLarge"), modifier, value);
        break;
      case "allocateBatch":
        this.#allocateBatch(fixture, value, 1 + (modifier % BATCH));
        break;
      case "free":
        this.#free(fixture, value, modifier);
        break;
      case "freeBatch":
        this.#freeBatch(fixture, value, 1 + (modifier % 16), modifier >= 128);
        break;
      case "freeWrong":
        this.#freeWrong(fixture, value, modifier);
        break;
      case "translate":
      case "runs":
        this.#translate(fixture, value, modifier, kind === "runs");
        break;
      case "translatePhysical":
        this.#translatePhysical(fixture, value, modifier);
        break;
      case "snapshot":
        this.#saved = { snapshot: fixture.core.snapshot(), image: fixture.model.save() };
        this.#log?.("snapshot");
        break;
      case "restore":
        this.#restore(fixture);
        break;
      case "flush":
        this.#log?.("flush");
        fixture.core.flush();
        break;
      case "check":
        this.#check(fixture);
        break;
      default:
        break; // map and unmap belong to the translator's play
    }
  }

  #allocate(fixture: Fixture, lengthBytes: number, modifier: number, value: number): void {
    const { core } = fixture;
    const options = constraintsOfModifier(modifier, value, fixture.plan, false);
    const address = core.allocate(lengthBytes, options);
    this.#log?.(`allocate ${lengthBytes} bytes ${show(options)} -> ${hexOr0(address)}`);
    this.#follow(fixture, address, address === 0 ? 0 : core.physicalOf(address), lengthBytes, options);
  }

  /** The reference model takes over an answer. */
  #follow(
    fixture: Fixture,
    address: number,
    physical: number,
    lengthBytes: number,
    options: AllocateOptions | undefined,
    reasonKnown = true,
  ): void {
    const verdict =
      address === 0
        ? fixture.model.confirmFailure(lengthBytes, options, reasonKnown ? fixture.core.lastFailure?.reason : undefined)
        : fixture.model.adopt(address, physical, lengthBytes, options);
    if (verdict !== undefined) throw new SubjectFault(`${lengthBytes} bytes ${show(options)}: ${verdict}`);
  }

  #allocateBatch(fixture: Fixture, value: number, count: number): void {
    let length = value;
    for (let i = 0; i < count; i++) {
      this.#lengths[i] = length + 1;
      length = (length * 7 + 1) & 0xffff;
    }
    const lengths = this.#lengths.subarray(0, count);
    const served = fixture.core.allocateBatch(lengths, this.#addresses, this.#physicals);
    this.#log?.(`allocateBatch of ${count} from ${value + 1} bytes on -> ${served} served`);
    let right = 0;
    for (let i = 0; i < count; i++) {
      const address = this.#addresses[i] as number;
      if (address !== 0) right++;
      this.#follow(fixture, address, this.#physicals[i] as number, lengths[i] as number, undefined, false);
    }
    this.operations += count - 1;
    if (served !== right) throw new SubjectFault(`allocateBatch says ${served} served, the addresses say ${right}`);
  }

  #free(fixture: Fixture, value: number, modifier: number): void {
    const { live } = fixture.model;
    const block = live[value % Math.max(1, live.length)];
    if (block === undefined) return;
    const how = modifier % 3;
    this.#log?.(`free ${hexOr0(block.address)} (${block.lengthBytes} bytes)`);
    const tag = how === 2 && fixture.plan.tags ? block.tag : undefined;
    fixture.core.free(block.address as VirtualAddress, how === 0 ? undefined : block.lengthBytes, tag);
    fixture.model.remove(block);
  }

  #freeBatch(fixture: Fixture, value: number, wanted: number, twice: boolean): void {
    const { live } = fixture.model;
    const count = Math.min(wanted, live.length);
    if (count === 0) return;
    const blocks = Array.from({ length: count }, (_, i) => live[(value + i) % live.length] as SmallBlock);
    const entries = twice ? [...blocks, blocks[0] as SmallBlock] : blocks;
    const addresses = Float64Array.from(entries, (block) => block.address);
    this.operations += entries.length - 1;
    this.#log?.(`freeBatch of ${entries.length}${twice ? ", the last named twice" : ""}`);
    if (!twice) {
      fixture.core.freeBatch(addresses);
      for (const block of blocks) fixture.model.remove(block);
      return;
    }
    const code = refusalCode(() => fixture.core.freeBatch(addresses));
    if (code !== "ALREADY_FREED")
      throw new SubjectFault(`a batch that names a block twice came to ${code ?? "success"}`);
  }

  /** A free that must be refused, or (where the address made up happens to be right) must succeed. */
  #freeWrong(fixture: Fixture, value: number, modifier: number): void {
    const { model, plan } = fixture;
    const any = model.live[value % Math.max(1, model.live.length)];
    // From modifier 160 on a block of whole pages, if there is one: what is special about those shows in no other.
    const block = modifier < 160 ? any : (model.live.find((one) => one.frames % 64 === 0) ?? any);
    let address = this.#place(fixture, value, modifier);
    let lengthBytes: number | undefined;
    let tag: number | undefined;
    if (block !== undefined && (modifier & 7) < 4) {
      address = block.address;
      if ((modifier & 3) === 0) lengthBytes = (block.lengthBytes + 1 + (modifier >>> 3)) % 2 ** 32;
      else if ((modifier & 3) === 1) lengthBytes = Math.max(0, block.lengthBytes - 1 - (modifier >>> 3));
      else if ((modifier & 3) === 2) {
        // Inside the block, by bytes or by frames; by frames also with the block's own length.
        const p = modifier >>> 3;
        address += p < 8 ? 1 + (p * plan.frameSize) / 32 : (p - 7) * plan.frameSize;
        if (p >= 10) lengthBytes = block.lengthBytes;
      } else if (plan.tags) tag = (block.tag + 1 + (modifier >>> 3)) % 2 ** 32;
      else address += plan.frameSize;
    }
    address = Math.floor(address);
    const expected = model.refusalOf(address, lengthBytes, tag);
    this.#log?.(`free ${hexOr0(address)} ${lengthBytes ?? ""} -> expected ${expected ?? "success"}`);
    const code = refusalCode(() => fixture.core.free(address as VirtualAddress, lengthBytes, tag));
    if (code !== expected)
      throw new SubjectFault(`free of ${hexOr0(address)} came to ${code ?? "success"}, not ${expected ?? "success"}`);
    if (code === undefined) model.remove(model.blockAt(address) as SmallBlock);
  }

  /** An address worth asking about: in, at the ends of, or outside a block or a window. */
  #place(fixture: Fixture, value: number, modifier: number): number {
    const { model, plan } = fixture;
    const zone = plan.zones[(modifier >>> 5) % plan.zones.length] as (typeof plan.zones)[number];
    const block = model.live[value % Math.max(1, model.live.length)];
    switch (modifier & 7) {
      case 0:
      case 1:
        return zone.window + (value % zone.size);
      case 2:
        return zone.window - 1 + (value % 3);
      case 3:
        return zone.window + zone.size - 1 + (value % 3);
      case 4:
        return block === undefined ? zone.window : block.address + (value % (block.lengthBytes + 1));
      case 5:
        return block === undefined ? zone.window : block.address + 2 ** 32;
      case 6:
        return zone.base + (value % zone.size);
      default:
        return zone.window + (value % (zone.size / plan.frameSize)) * plan.frameSize;
    }
  }

  #translate(fixture: Fixture, value: number, modifier: number, runs: boolean): void {
    const { core, model, plan } = fixture;
    const address = this.#place(fixture, value, modifier);
    const block = model.around(address);
    this.#log?.(`${runs ? "runs" : "translate"} ${hexOr0(address)} -> ${block === undefined ? "a fault" : "mapped"}`);
    if (block === undefined) {
      const code = refusalCode(() => core.translate(address as VirtualAddress));
      if (code !== "TRANSLATION_FAULT")
        throw new SubjectFault(`${hexOr0(address)} is in no block and did not fault: ${code}`);
      return;
    }
    const offset = address - block.address;
    const left = block.frames * plan.frameSize - offset;
    if (runs) {
      const bytes = 1 + (value % left);
      const [run, more] = core.runs(address as VirtualAddress, bytes);
      if (more !== undefined || run?.physical !== block.physical + offset || run.lengthBytes !== bytes)
        throw new SubjectFault(`runs of ${bytes} bytes at ${hexOr0(address)} are not the one run of its block`);
      return;
    }
    const { physical, lengthBytes } = core.translate(address as VirtualAddress);
    if (physical !== block.physical + offset || lengthBytes !== left)
      throw new SubjectFault(
        `${hexOr0(address)} is at ${hexOr0(physical)} for ${lengthBytes} bytes; it must hold for ${left}`,
      );
  }

  #translatePhysical(fixture: Fixture, value: number, modifier: number): void {
    const { core, model, plan } = fixture;
    const zone = plan.zones[(modifier >>> 5) % plan.zones.length] as (typeof plan.zones)[number];
    const physical = zone.base - 2 + (value % (zone.size + 4));
    const inside = physical >= zone.base && physical < zone.base + zone.size;
    const block = inside ? model.around(zone.window + physical - zone.base) : undefined;
    this.#log?.(`translatePhysical ${hexOr0(physical)} -> ${block === undefined ? "a fault" : "mapped"}`);
    if (block === undefined) {
      const elsewhere = plan.zones.some((other) => physical >= other.base && physical < other.base + other.size);
      const code = inside || !elsewhere ? refusalCode(() => core.virtualOf(physical as PhysicalAddress)) : undefined;
      if ((inside || !elsewhere) && code !== "TRANSLATION_FAULT")
        throw new SubjectFault(`physical ${hexOr0(physical)} is in no block and did not fault`);
      return;
    }
    const virtual = core.virtualOf(physical as PhysicalAddress);
    if (virtual !== block.address + physical - block.physical)
      throw new SubjectFault(`physical ${hexOr0(physical)} is seen at ${hexOr0(virtual)}`);
  }

  #restore(fixture: Fixture): void {
    const saved = this.#saved;
    if (saved === undefined) return;
    this.#log?.("restore");
    fixture.core.restore(saved.snapshot);
    fixture.model.load(saved.image);
  }

  /** Counters after each, the walk of `verify` on top. */
  #check(fixture: Fixture): void {
    const { core, model, plan } = fixture;
    this.#log?.("check");
    const [broken] = core.verify();
    if (broken !== undefined) throw new SubjectFault(`verify: ${broken.rule}: ${broken.message}`);
    const stats = core.stats();
    const expected: readonly (readonly [keyof typeof stats, number])[] = [
      ["freeBytes", model.freeFrames * plan.frameSize],
      ["liveBytes", model.liveFrames * plan.frameSize],
      ["peakLiveBytes", model.peakFrames * plan.frameSize],
      ["liveBlocks", model.live.length],
      ["failures", model.failures],
      ["largestFreeBytes", model.largestFreeBytes()],
      ["withheldBytes", 0],
    ];
    for (const [name, value] of expected)
      if (stats[name] !== value) throw new SubjectFault(`${name} is ${stats[name]}, not ${value}`);
    const blocks = model.live.find((block) => core.lengthOf(block.address as VirtualAddress) !== block.lengthBytes);
    if (blocks !== undefined)
      throw new SubjectFault(`the length of ${hexOr0(blocks.address)} is not ${blocks.lengthBytes}`);
  }

  /** Free all: the digest of the beginning must be back. */
  #drain(fixture: Fixture): void {
    const { core, model } = fixture;
    for (let block = model.live.at(-1); block !== undefined; block = model.live.at(-1)) {
      core.free(block.address as VirtualAddress, block.lengthBytes);
      model.remove(block);
    }
    core.flush();
    if (core.digest() !== fixture.digest)
      throw new SubjectFault("all is freed and the digest is not that of the beginning");
    const { freeBytes, totalBytes } = core.stats();
    if (freeBytes !== totalBytes)
      throw new SubjectFault(`all is freed and ${totalBytes - freeBytes} bytes are not free`);
  }
}

function hexOr0(address: number): string {
  return address === 0 ? "0" : `0x${address.toString(16)}`;
}

function show(options: AllocateOptions | undefined): string {
  return options === undefined ? "" : JSON.stringify(options);
}
