/**
 * A sequence played on a core and on the reference model: every kind of operation, scattered blocks and foreign ranges included.
 *
 * The core answers, the reference model follows placements and failures and must give the same answer to every other question,
 * digests included. Slower than core-player.ts, which knows less: this is the translator's target.
 */
import {
  type AllocateOptions,
  type AllocationBatch,
  type CoreApi,
  type CorePlan,
  planCore,
  type VirtualAddress,
} from "../../../bindings/index.js";
import { Judge } from "../../model/index.js";
import type { CoreFinding, OpenCore } from "./core-player.js";
import { geometryOf } from "./geometries.js";
import { constraintsOfModifier, lengthOfValue } from "./operations.js";
import type { AllocationSequence, Operation } from "./sequence.js";
import { assertLegal, findingOf, guardSubject, isRefusal, SubjectFault } from "./subject-fault.js";

/** Where foreign ranges go: far from every window and zone. */
const FOREIGN_VIRTUAL = 2 ** 50;
const FOREIGN_PHYSICAL = 2 ** 51;
const SLOT_BYTES = 2 ** 20;
const RING = 300;

interface Held {
  readonly address: VirtualAddress;
  readonly lengthBytes: number;
  readonly tag: number;
}

/** Plays one sequence; `rings` makes batches long enough to go around the request ring. */
export class DifferentialPlay {
  readonly #core: CoreApi;
  readonly #model: Judge;
  readonly #plan: CorePlan;
  readonly #held: Held[] = [];
  readonly #rings: boolean;
  readonly #log: ((line: string) => void) | undefined;
  operations = 0;

  constructor(open: OpenCore, sequence: AllocationSequence, rings: boolean, log?: (line: string) => void) {
    const { options } = geometryOf(sequence.geometry);
    this.#core = guardSubject(open(options));
    this.#model = new Judge(options);
    this.#plan = planCore(options);
    this.#rings = rings;
    this.#log = log;
  }

  /** Undefined where every answer was right. */
  play(operations: readonly Operation[]): CoreFinding | undefined {
    let step = 0;
    try {
      for (; step < operations.length; step++) {
        this.operations++;
        this.#step(operations[step] as Operation);
      }
      this.#compare();
    } catch (error) {
      return findingOf(error, step);
    }
    return undefined;
  }

  #step({ kind, value, modifier }: Operation): void {
    switch (kind) {
      case "allocate":
      case "allocateLarge": {
        const options = constraintsOfModifier(modifier, value, this.#plan, true);
        this.#allocate(lengthOfValue(value, kind === "allocateLarge"), options);
        break;
      }
      case "allocateBatch":
        if (this.#rings) this.#serve(value, modifier);
        else this.#allocateBatch(value, 1 + (modifier % 40));
        break;
      case "free":
        this.#free(value, modifier);
        break;
      case "freeBatch":
        this.#freeBatch(value, modifier);
        break;
      case "freeWrong": {
        const address = this.#address(value, modifier);
        if (this.#held.some((held) => held.address === address)) break;
        this.#both(`free ${address}`, (one) => one.free(address));
        break;
      }
      case "translate": {
        const address = this.#address(value, modifier);
        this.#lookup(`translate ${address}`, (one) => one.translate(address));
        this.#both(`lengthOf ${address}`, (one) => one.lengthOf(address));
        break;
      }
      case "translatePhysical": {
        const physical = this.#physical(value, modifier);
        this.#lookup(`translatePhysical ${physical}`, (one) => one.translatePhysical(physical as never));
        break;
      }
      case "runs": {
        const address = this.#address(value, modifier);
        this.#both(`runs ${address} ${value + 1}`, (one) => one.runs(address, value + 1));
        break;
      }
      case "map":
        this.#map(value, modifier);
        break;
      case "unmap": {
        const address = (FOREIGN_VIRTUAL + (modifier % 8) * SLOT_BYTES + (value % 4)) as VirtualAddress;
        this.#both(`unmap ${address}`, (one) => one.unmap(address));
        break;
      }
      case "check":
        this.#compare();
        break;
      case "flush":
        this.#core.flush();
        break;
      default:
        break; // snapshots have a target of their own
    }
  }

  #allocate(lengthBytes: number, options: AllocateOptions | undefined): void {
    const address = this.#core.allocate(lengthBytes, options);
    this.#log?.(`allocate ${lengthBytes} ${JSON.stringify(options) ?? ""} -> 0x${address.toString(16)}`);
    if (address === 0) {
      assertLegal(this.#model.confirmFailure(lengthBytes, options, this.#core.lastFailure));
      return;
    }
    this.#adopt(address, lengthBytes, options);
  }

  #adopt(address: VirtualAddress, lengthBytes: number, options: AllocateOptions | undefined): void {
    const runs = this.#core.runs(address, lengthBytes);
    assertLegal(this.#model.adopt(address, runs, lengthBytes, options));
    this.#held.push({ address, lengthBytes, tag: options?.tag ?? 0 });
  }

  #allocateBatch(value: number, count: number): void {
    const lengths = Uint32Array.from({ length: count }, (_, i) => 1 + ((value * (i + 1)) & 0xffff));
    const addresses = new Float64Array(count);
    this.#core.allocateBatch(lengths, addresses);
    this.#log?.(`allocateBatch of ${count}`);
    for (const [i, address] of addresses.entries()) this.#follow(address, lengths[i] as number, undefined);
  }

  #follow(address: number, lengthBytes: number, options: AllocateOptions | undefined): void {
    if (address === 0) assertLegal(this.#model.confirmFailure(lengthBytes, options));
    else this.#adopt(address as VirtualAddress, lengthBytes, options);
  }

  /** What a dispatcher does: constrained requests, more of them than the ring has entries. */
  #serve(value: number, modifier: number): void {
    const count = 1 + ((value * 7 + modifier) % RING);
    const zone = this.#plan.zones[modifier % this.#plan.zones.length] as CorePlan["zones"][number];
    const highest = zone.base + (value % zone.size);
    const batch: AllocationBatch = {
      count,
      lengths: Uint32Array.from({ length: count }, (_, i) => 1 + ((value + i * 97) % (this.#plan.frameSize * 3))),
      highest: Float64Array.from({ length: count }, (_, i) => (i % 3 === modifier % 3 ? highest : 2 ** 52 - 1)),
      tags: Uint32Array.from({ length: count }, (_, i) => i % 5),
      addresses: new Float64Array(count),
      physicals: new Float64Array(count),
    };
    const served = this.#core.serveBatch(batch);
    this.#log?.(`serveBatch of ${count} -> ${served}`);
    for (let i = 0; i < count; i++) {
      const address = batch.addresses[i] as number;
      const limit = batch.highest[i] as number;
      const options: AllocateOptions = {
        ...(limit === 2 ** 52 - 1 ? {} : { highest: limit }),
        ...(this.#plan.tags ? { tag: batch.tags[i] as number } : {}),
      };
      this.#follow(address, batch.lengths[i] as number, options);
      if (address !== 0 && this.#model.physicalOf(address as VirtualAddress) !== batch.physicals[i])
        throw new SubjectFault(`entry ${i} of a batch: its physical address is not that of its block`);
    }
    const right = batch.addresses.reduce((sum, address) => sum + (address === 0 ? 0 : 1), 0);
    if (served !== right) throw new SubjectFault(`serveBatch says ${served} served, the addresses say ${right}`);
  }

  #free(value: number, modifier: number): void {
    const at = value % Math.max(1, this.#held.length);
    const block = this.#held[at];
    if (block === undefined) return;
    this.#held[at] = this.#held.at(-1) as Held;
    this.#held.pop();
    const tag = this.#plan.tags && modifier % 2 === 0 ? block.tag : undefined;
    this.#both(`free ${block.address}`, (one) => one.free(block.address, block.lengthBytes, tag));
  }

  #freeBatch(value: number, modifier: number): void {
    const count = Math.min(this.#held.length, this.#rings ? RING : 1 + (modifier % 40));
    const from = value % Math.max(1, this.#held.length - count + 1);
    const blocks = this.#held.slice(from, from + count);
    const entries = [...blocks.map((block) => block.address), ...(modifier >= 192 ? [this.#address(value, 7)] : [])];
    const given = this.#both(`freeBatch of ${entries.length}`, (one) => one.freeBatch(Float64Array.from(entries)));
    if (!("code" in given)) for (const block of blocks) this.#held.splice(this.#held.indexOf(block), 1);
  }

  #map(value: number, modifier: number): void {
    const slot = modifier % 8;
    const virtual = (FOREIGN_VIRTUAL + slot * SLOT_BYTES) as VirtualAddress;
    const bytes = value + 1;
    const half = Math.floor(bytes / 2);
    const physical = FOREIGN_PHYSICAL + ((modifier >>> 3) % 8) * SLOT_BYTES;
    const runs =
      modifier < 128 || half === 0
        ? [{ physical, lengthBytes: bytes }]
        : [
            { physical, lengthBytes: half },
            { physical: physical + half + (value % 3), lengthBytes: bytes - half },
          ];
    this.#both(`map ${virtual} ${bytes}`, (one) => one.map(virtual, runs));
  }

  /** An address worth asking about: a block, its inside and end, a window, a mapping, nowhere. */
  #address(value: number, modifier: number): VirtualAddress {
    const held = this.#held[value % Math.max(1, this.#held.length)];
    const zone = this.#plan.zones[(modifier >>> 5) % this.#plan.zones.length] as CorePlan["zones"][number];
    const at = [
      held?.address ?? 1,
      (held?.address ?? 1) + (value % (held?.lengthBytes ?? 1)),
      (held?.address ?? 1) + (held?.lengthBytes ?? 1) + (value % 5),
      zone.window + (value % zone.size),
      zone.window - 2 + (value % 5),
      zone.window + zone.size - 2 + (value % 5),
      FOREIGN_VIRTUAL + ((modifier >>> 3) % 8) * SLOT_BYTES - 2 + value,
      this.#plan.scatterBase + value * 16,
    ][modifier & 7] as number;
    return at as VirtualAddress;
  }

  #physical(value: number, modifier: number): number {
    const zone = this.#plan.zones[(modifier >>> 5) % this.#plan.zones.length] as CorePlan["zones"][number];
    return modifier % 3 === 0
      ? FOREIGN_PHYSICAL + ((modifier >>> 3) % 8) * SLOT_BYTES - 2 + value
      : zone.base - 2 + (value % (zone.size + 4));
  }

  /** Ask both; the answers, or the codes, must be equal. */
  #both(what: string, ask: (one: CoreApi) => unknown): { readonly code?: string } {
    this.#log?.(what);
    const given = answer(() => ask(this.#core));
    const expected = answer(() => ask(this.#model));
    if (given !== expected) throw new SubjectFault(`${what}: the core says ${given}, the reference model ${expected}`);
    return given.startsWith("!") ? { code: given } : {};
  }

  /** A lookup may stop where a piece ends; the reference model answers for as long as memory goes on. */
  #lookup(what: string, ask: (one: CoreApi) => { readonly lengthBytes: number }): void {
    let held = 0;
    this.#both(what, (one) => {
      const { lengthBytes, ...rest } = ask(one);
      if (one === this.#core) held = lengthBytes;
      else if (held < 1 || held > lengthBytes)
        throw new SubjectFault(`${what} holds for ${held} bytes, the reference model says ${lengthBytes}`);
      return rest;
    });
  }

  #compare(): void {
    const [broken] = this.#core.verify();
    if (broken !== undefined) throw new SubjectFault(`verify: ${broken.rule}: ${broken.message}`);
    this.#both("digest", (one) => one.digest());
    this.#both("stats", (one) => one.stats());
  }
}

function answer(ask: () => unknown): string {
  try {
    return JSON.stringify(ask()) ?? "nothing";
  } catch (error) {
    if (isRefusal(error)) return `!${error.code}`;
    throw error;
  }
}
