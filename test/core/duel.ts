/**
 * A core against the judge: random operations, every answer compared.
 *
 * Each action asks the core, then lets the judge follow (placements and failures) or answer the same question. Answers
 * that differ end the duel with the seed, the step and the last operations. Every 100 steps the core's own `verify` must
 * find nothing and digests and counters must agree; at the end everything is freed and the first digest must be back.
 *
 * A duel has epochs: first more is allocated than freed, then the reverse, over and over, and in each epoch the kinds of
 * operation get new weights, some of them zero: swarm testing reaches states that an even mix never does.
 */
import * as assert from "uvu/assert";
import {
  type AllocateOptions,
  type CoreApi,
  type CoreOptions,
  ShmemError,
  type VirtualAddress,
  type ZoneOptions,
} from "../../bindings/index.js";
import { Judge, type Verdict } from "../../src/model/index.js";
import { generator } from "./expect.js";

/** A block that the duel holds. */
export interface Held {
  readonly address: VirtualAddress;
  readonly lengthBytes: number;
  readonly tag: number;
  readonly contiguous: boolean;
}

/** One kind of operation. */
export interface Action {
  readonly name: string;
  /** Its usual share; 0 to 9 times that in an epoch. */
  readonly weight: number;
  /** Whether it adds blocks (1), ends blocks (-1) or neither (0). */
  readonly grows: -1 | 0 | 1;
  readonly play: (duel: Duel) => void;
}

/** What a call came to, in a form that two implementations can be compared in. */
type Outcome = { readonly value: unknown } | { readonly refused: readonly unknown[] };

function outcome(ask: () => unknown, fields: "all" | "code"): Outcome {
  try {
    return { value: ask() };
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    const { code, value, index, mismatches } = error;
    return { refused: fields === "all" ? [code, value, index, mismatches] : [code] };
  }
}

function legal(verdict: Verdict, what: string): void {
  if (verdict !== undefined) throw new Error(`${what}: ${verdict}`);
}

interface Saved {
  readonly core: Uint8Array;
  readonly judge: Uint8Array;
  readonly held: readonly Held[];
  readonly mapped: readonly VirtualAddress[];
}

/** The state of one duel. */
export class Duel {
  readonly core: CoreApi;
  readonly judge: Judge;
  readonly options: CoreOptions;
  readonly below: (limit: number) => number;
  readonly held: Held[] = [];
  readonly mapped: VirtualAddress[] = [];
  /** Addresses that were starts of blocks, the latest last. */
  readonly gone: VirtualAddress[] = [];
  saved: Saved | undefined;
  readonly #log: string[] = [];

  constructor(open: (options: CoreOptions) => CoreApi, options: CoreOptions, seed: number) {
    this.options = options;
    this.core = open(options);
    this.judge = new Judge(options);
    this.below = generator(seed);
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  /** A zone. */
  zone(): ZoneOptions {
    return this.pick(this.options.zones) as ZoneOptions;
  }

  note(text: string): void {
    this.#log.push(text);
    if (this.#log.length > 25) this.#log.shift();
  }

  /** The last operations, for a message. */
  history(): string {
    return this.#log.join("\n  ");
  }

  /**
   * Ask both the same and compare what it comes to. Answers the core's. Of several wrong arguments each may name
   * another first: then only the `code` is compared.
   */
  both(name: string, ask: (subject: CoreApi) => unknown, fields: "all" | "code" = "all"): Outcome {
    this.note(name);
    const given = outcome(() => ask(this.core), fields);
    const expected = outcome(() => ask(this.judge), fields);
    assert.equal(given, expected, `${name}: the core ${JSON.stringify(given)}, the judge ${JSON.stringify(expected)}`);
    return given;
  }

  /**
   * A lookup says for how many bytes it holds. Where pieces of a scattered block, or runs of a mapping, follow each
   * other in memory, a core may stop at the end of each; the judge answers for as long as memory does.
   */
  lookup<T extends { readonly lengthBytes: number }>(name: string, ask: (subject: CoreApi) => T): void {
    let held = 0;
    this.both(name, (subject) => {
      const { lengthBytes, ...rest } = ask(subject);
      assert.ok(lengthBytes > 0);
      if (subject === this.core) held = lengthBytes;
      else assert.ok(held <= lengthBytes, `holds for ${held} bytes, the judge says ${lengthBytes}`);
      return rest;
    });
  }

  /** The core allocates, the judge follows. */
  allocate(lengthBytes: number, options?: AllocateOptions): void {
    this.note(`allocate ${lengthBytes} ${JSON.stringify(options)}`);
    const address = this.core.allocate(lengthBytes, options);
    if (address === 0) {
      const failure = this.core.lastFailure;
      assert.ok(failure !== undefined, "a failure has a reason");
      legal(this.judge.confirmFailure(lengthBytes, options, failure), JSON.stringify(failure));
    } else this.#follow(address, lengthBytes, options);
  }

  /** The judge takes over one answer of the core, an address or 0. */
  follow(address: number, lengthBytes: number, options?: AllocateOptions): void {
    if (address === 0) legal(this.judge.confirmFailure(lengthBytes, options), `${lengthBytes} bytes`);
    else this.#follow(address as VirtualAddress, lengthBytes, options);
  }

  #follow(address: VirtualAddress, lengthBytes: number, options?: AllocateOptions): void {
    const runs = this.core.runs(address, lengthBytes);
    legal(this.judge.adopt(address, runs, lengthBytes, options), `${lengthBytes} bytes at ${address}`);
    const contiguous = this.judge.explain(address).block?.contiguous === true;
    this.held.push({ address, lengthBytes, tag: options?.tag ?? 0, contiguous });
  }

  /** Take a random block off the list. */
  drop(): Held | undefined {
    const at = this.below(this.held.length);
    const [block] = this.held.splice(
      at,
      1,
      ...this.held.splice(this.held.length - 1, at === this.held.length - 1 ? 0 : 1),
    );
    if (block === undefined) return undefined;
    this.gone.push(block.address);
    if (this.gone.length > 64) this.gone.shift();
    return block;
  }

  /** Both free a block that is live. */
  free(block: Held): void {
    const [length, tag] = [this.below(2) === 0, this.options.tags === true && this.below(2) === 0];
    this.both(`free ${block.address}`, (subject) =>
      subject.free(block.address, length ? block.lengthBytes : undefined, tag ? block.tag : undefined),
    );
  }

  save(): void {
    this.note("snapshot");
    this.saved = {
      core: this.core.snapshot(),
      judge: this.judge.snapshot(),
      held: [...this.held],
      mapped: [...this.mapped],
    };
  }

  load(): void {
    if (this.saved === undefined) return;
    this.note("restore");
    this.core.restore(this.saved.core);
    this.judge.restore(this.saved.judge);
    this.held.splice(0, Number.POSITIVE_INFINITY, ...this.saved.held);
    this.mapped.splice(0, Number.POSITIVE_INFINITY, ...this.saved.mapped);
  }

  /** The core is sound, and both are in the same state. */
  compare(): void {
    assert.equal(this.core.verify(), [], "verify");
    assert.is(this.core.digest(), this.judge.digest(), "digests");
    assert.equal(this.core.stats(), this.judge.stats(), "stats");
    assert.is(this.core.stats().liveBlocks, this.held.length, "live blocks");
  }

  /** Free and unmap everything, and compare with the beginning. */
  drain(initialDigest: string): void {
    while (this.held.length > 0) this.free(this.drop() as Held);
    for (const address of this.mapped.splice(0)) this.both(`unmap ${address}`, (subject) => subject.unmap(address));
    this.core.flush();
    this.compare();
    assert.is(this.core.digest(), initialDigest, "all freed is the beginning");
  }
}

/** How long, and from which seed. */
export interface DuelPlan {
  readonly options: CoreOptions;
  readonly open: (options: CoreOptions) => CoreApi;
  readonly actions: readonly Action[];
  readonly steps: number;
  readonly seed: number;
}

/** The seed of this run: `NDIS_SHMEM_SEED`, or the one given. */
export function seedOf(usual: number): number {
  const given = process.env.NDIS_SHMEM_SEED;
  if (given === undefined || given === "") return usual;
  const seed = Number(given);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) throw new RangeError(`NDIS_SHMEM_SEED is ${given}`);
  return seed;
}

/** The index of the weight that `ticket` falls to; tickets are below the sum of the weights. */
function drawn(weights: readonly number[], ticket: number): number {
  let rest = ticket;
  for (const [index, weight] of weights.entries()) {
    if (rest < weight) return index;
    rest -= weight;
  }
  throw new RangeError(`ticket ${ticket} is above the sum of the weights`);
}

/** Fight it out. Answers how often each action was played. */
export function fight(plan: DuelPlan): Map<string, number> {
  const duel = new Duel(plan.open, plan.options, plan.seed);
  const played = new Map<string, number>(plan.actions.map((action) => [action.name, 0]));
  const initial = duel.core.digest();
  let step = 0;
  try {
    while (step < plan.steps) {
      const epoch = 200 + duel.below(3000);
      const phase = duel.below(3);
      const weights = plan.actions.map(({ weight, grows }) => {
        const swarm = duel.below(4) === 0 && grows === 0 ? 0 : 1 + duel.below(9);
        const tide = phase === 0 ? 1 : (phase === 1) === (grows === 1) ? 4 : 1;
        return weight * swarm * (grows === 0 ? 1 : tide);
      });
      const sum = weights.reduce((total, weight) => total + weight, 0);
      for (let i = 0; i < epoch && step < plan.steps; i++) {
        step++;
        const action = plan.actions[drawn(weights, duel.below(sum))] as Action;
        played.set(action.name, (played.get(action.name) ?? 0) + 1);
        action.play(duel);
        if (step % 100 === 0) duel.compare();
        if (step % 20000 === 0) assert.equal(duel.judge.verify(), [], "the judge is sound");
      }
    }
    duel.drain(initial);
    assert.equal(duel.judge.verify(), [], "the judge is sound");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(
      `seed ${plan.seed}, step ${step} (NDIS_SHMEM_SEED=${plan.seed} repeats it): ${message}\n  ${duel.history()}`,
      { cause: error },
    );
  }
  return played;
}
