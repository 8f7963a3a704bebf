// timeout: 300 s
/**
 * Small inputs, all of them: every sequence of operations on a zone of 8 frames, against the judge.
 *
 * The zone starts at physical frame 5, so that its frames are 5 to 12 and no power of two fits it. A step goes back by
 * restoring a snapshot, which tests restoring on the way. After every operation the answer is judged, the core is
 * walked, and digests, counters and the translation of every frame are compared.
 *
 * First every sequence, one by one. Then deeper, with more kinds of operation, where a state is left alone when its
 * image was seen before with as many steps to go: equal images answer every later call alike. (The image counts slow requests
 * by size, so each step more has about four times as many states.)
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AllocateOptions, CoreApi, CoreOptions, PhysicalAddress, VirtualAddress } from "../../bindings/index.js";
import { Judge } from "../../src/model/index.js";
import { refuses } from "./expect.js";
import { implementations, judge as judgeItself } from "./implementations.js";

const FRAME = 64;
const BASE = 5 * FRAME;
const OPTIONS: CoreOptions = { zones: [{ base: BASE, size: 8 * FRAME }], frameSize: FRAME, arena: null };
const WINDOW = 2 ** 46 + BASE;

interface Request {
  readonly lengthBytes: number;
  readonly options?: AllocateOptions;
}

interface Search {
  readonly core: CoreApi;
  readonly judge: Judge;
  readonly requests: readonly Request[];
  /** Steps to go from an image, when it was looked at. Undefined: look at everything. */
  readonly seen: Map<string, number> | undefined;
  readonly path: string[];
  operations: number;
}

/** The answer of the core is legal, and the judge has followed. */
function allocate({ core, judge, path }: Search, { lengthBytes, options }: Request): void {
  path.push(`allocate ${lengthBytes} ${JSON.stringify(options ?? {})}`);
  const address = core.allocate(lengthBytes, options);
  const verdict =
    address === 0
      ? judge.confirmFailure(lengthBytes, options, core.lastFailure)
      : judge.adopt(address, core.runs(address, lengthBytes), lengthBytes, options);
  assert.is(verdict, undefined, verdict);
}

/** Both are in the same state, down to the byte at the start and the end of every frame. */
function agree({ core, judge }: Search): void {
  assert.equal(core.verify(), []);
  assert.is(core.digest(), judge.digest());
  assert.equal(core.stats(), judge.stats());
  for (let at = 0; at < 8 * FRAME; at += FRAME) {
    const address = (WINDOW + at) as VirtualAddress;
    const there = core.explain(address);
    const expected = judge.explain(address);
    assert.is(there.state, expected.state);
    assert.equal(there.block, expected.block);
    const physical = (BASE + at + FRAME - 1) as PhysicalAddress;
    const back = (subject: CoreApi): unknown => {
      try {
        return subject.virtualOf(physical);
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    };
    assert.is(back(core), back(judge));
  }
}

/** Every operation from here, `depth` steps deep; `live` are the blocks, `last` the address freed last. */
function search(state: Search, depth: number, live: readonly VirtualAddress[], last: VirtualAddress | undefined): void {
  if (depth === 0) return;
  const { core, judge, requests, seen, path } = state;
  if (seen !== undefined) {
    const image = core.imageDigest();
    if ((seen.get(image) ?? 0) >= depth) return;
    seen.set(image, depth);
  }
  const [coreBefore, judgeBefore] = [core.snapshot(), judge.snapshot()];
  const step = (play: () => void, next: () => void): void => {
    state.operations++;
    play();
    agree(state);
    next();
    path.pop();
    core.restore(coreBefore);
    judge.restore(judgeBefore);
  };
  for (const request of requests) {
    let address = 0 as VirtualAddress;
    step(
      () => {
        const before = judge.stats().liveBlocks;
        allocate(state, request);
        if (judge.stats().liveBlocks > before) address = newest(state, live);
      },
      () => search(state, depth - 1, address === 0 ? live : [...live, address], last),
    );
  }
  for (const address of live) {
    step(
      () => {
        path.push(`free ${address}`);
        core.free(address);
        judge.free(address);
      },
      () =>
        search(
          state,
          depth - 1,
          live.filter((one) => one !== address),
          address,
        ),
    );
  }
  if (last !== undefined && !live.includes(last)) {
    path.push(`free ${last} again`);
    const digest = [core.digest(), core.imageDigest()];
    const { code } = refuses(() => judge.lengthOf(last), judgeCode(judge, last));
    refuses(() => core.free(last), code);
    assert.equal([core.digest(), core.imageDigest()], digest);
    state.operations++;
    path.pop();
  }
}

function judgeCode(judge: Judge, address: VirtualAddress): Parameters<typeof refuses>[1] {
  const { state } = judge.explain(address);
  return state === "live" ? "INTERIOR_ADDRESS" : state === "freed" ? "ALREADY_FREED" : "FOREIGN_ADDRESS";
}

/** The block that was not in the list: found by asking, because the two sides agree on everything. */
function newest({ core }: Search, live: readonly VirtualAddress[]): VirtualAddress {
  for (let at = BASE; at < BASE + 8 * FRAME; at += FRAME) {
    let virtual: VirtualAddress;
    try {
      virtual = core.virtualOf(at as PhysicalAddress);
    } catch {
      continue;
    }
    const start = core.explain(virtual).block?.virtual;
    if (start !== undefined && !live.includes(start)) return start;
  }
  throw new Error("no frame belongs to a new block");
}

function explore(
  open: (options: CoreOptions) => CoreApi,
  requests: readonly Request[],
  depth: number,
  cut: boolean,
): number {
  const state: Search = {
    core: open(OPTIONS),
    judge: new Judge(OPTIONS),
    requests,
    seen: cut ? new Map() : undefined,
    path: [],
    operations: 0,
  };
  try {
    search(state, depth, [], undefined);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`after ${state.path.join(", ")}: ${message}`, { cause: error });
  }
  return state.operations;
}

const few: readonly Request[] = [
  { lengthBytes: 1 },
  { lengthBytes: 2 * FRAME },
  { lengthBytes: 3 * FRAME - 1 },
  { lengthBytes: 5 * FRAME },
  { lengthBytes: 8 * FRAME },
  { lengthBytes: 3 * FRAME, options: { contiguous: false } },
];
const many: readonly Request[] = [
  ...few,
  { lengthBytes: FRAME },
  { lengthBytes: 4 * FRAME },
  { lengthBytes: 7 * FRAME },
  { lengthBytes: 5 * FRAME + 1, options: { contiguous: false } },
  { lengthBytes: 2 * FRAME, options: { contiguous: false, alignment: 2 * FRAME } },
  { lengthBytes: FRAME, options: { alignment: 4 * FRAME } },
  { lengthBytes: 2 * FRAME, options: { highest: BASE + 5 * FRAME - 1 } },
];

for (const { name, open } of implementations) {
  if (name === judgeItself.name) continue;
  const test = suite(`exhaustive, ${name}`);
  const debug = name === "debug";

  test(`every sequence of ${debug ? 4 : 5} operations out of six requests and all frees`, () => {
    const operations = explore(open, few, debug ? 4 : 5, false);
    console.log(`exhaustive, ${name}: ${operations} operations`);
    assert.ok(operations > (debug ? 2_000 : 15_000), `${operations} operations`);
  });

  test(`every sequence of ${debug ? 4 : 5} operations out of thirteen requests and all frees, equal images once`, () => {
    const operations = explore(open, many, debug ? 4 : 5, true);
    console.log(`exhaustive, ${name}: ${operations} operations, equal images once`);
    assert.ok(operations > 2_000, `${operations} operations`);
  });

  test.run();
}
