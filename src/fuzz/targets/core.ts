/** The core against a model: as fast as can be, with everything the translator does, and around the request ring. */
import { Core, type CoreOptions, type PhysicalRun, type VirtualAddress } from "../../../bindings/index.js";
import { CorePlayer, type OpenCore, type RewindableCore } from "../sequences/core-player.js";
import { DifferentialPlay } from "../sequences/differential-play.js";
import { decodeSequence } from "../sequences/sequence.js";
import type { FuzzTarget, TargetEntry } from "./target.js";

const open: OpenCore = (options) => Core.openSync(options);

/** A core some of whose answers are wrong: for canaries. */
function harmed(change: (core: Core) => Partial<RewindableCore>): OpenCore {
  return (options: CoreOptions) => {
    const core = Core.openSync(options);
    const replaced = change(core) as Record<string | symbol, unknown>;
    return new Proxy<RewindableCore>(core, {
      get: (_, key) => {
        if (Object.hasOwn(replaced, key)) return replaced[key];
        const value: unknown = Reflect.get(core, key, core);
        return typeof value === "function" ? value.bind(core) : value;
      },
    });
  };
}

/** The core with a small model. */
export function openCoreTarget(openCore: OpenCore): FuzzTarget {
  const player = new CorePlayer(openCore);
  return {
    name: coreTarget.name,
    summary: coreTarget.summary,
    maxBytes: 1 + 4 * 400,
    unitBytes: 4,
    play: (bytes, log) => player.play(decodeSequence(bytes), log),
    get operations() {
      return player.operations;
    },
  };
}

function openDifferential(entry: TargetEntry, openCore: OpenCore, rings: boolean): FuzzTarget {
  let operations = 0;
  return {
    name: entry.name,
    summary: entry.summary,
    maxBytes: 1 + 4 * 120,
    unitBytes: 4,
    play(bytes, log) {
      const sequence = decodeSequence(bytes);
      const play = new DifferentialPlay(openCore, sequence, rings, log);
      const found = play.play(sequence.operations);
      operations += play.operations;
      return found;
    },
    get operations() {
      return operations;
    },
  };
}

/** allocate, free, batches, translation and refusals. */
export const coreTarget: TargetEntry = {
  name: "core",
  summary: "the Wasm core against the small model: allocation, frees, batches, refusals, snapshots",
  open: () => openCoreTarget(open),
  canary: {
    bug: "a block of five frames keeps its last frame when it is freed",
    open: () =>
      openCoreTarget(
        harmed((core) => ({
          free: (address, lengthBytes, tag) => {
            const known = core.explain(address).block;
            core.free(address, lengthBytes, tag);
            if (known?.virtual === address && Math.ceil(known.lengthBytes / core.frameSize) === 5)
              core.allocate(core.frameSize, { highest: core.frameSize * 2 ** 40 });
          },
        })),
      ),
  },
};

/** Scattered blocks, foreign ranges, both directions of translation. */
export const translatorTarget: TargetEntry = {
  name: "translator",
  summary: "scattered blocks, foreign ranges and translation both ways, against the reference model",
  open: () => openDifferential(translatorTarget, open, false),
  canary: {
    bug: "runs that touch are not joined",
    open: () =>
      openDifferential(
        translatorTarget,
        harmed((core) => ({
          runs: (address: VirtualAddress, lengthBytes: number): PhysicalRun[] =>
            core.runs(address, lengthBytes).flatMap((run) => {
              const half = Math.floor(run.lengthBytes / 128) * 64;
              if (half === 0) return [run];
              const second = { physical: (run.physical + half) as never, lengthBytes: run.lengthBytes - half };
              return [{ physical: run.physical, lengthBytes: half }, second];
            }),
        })),
        false,
      ),
  },
};

/** Batches longer than the ring. */
export const ringTarget: TargetEntry = {
  name: "ring",
  summary: "batches that go around the request ring, with constraints and tags, against the reference model",
  open: () => openDifferential(ringTarget, open, true),
  canary: {
    bug: "the 257th entry of a batch repeats the first",
    open: () =>
      openDifferential(
        ringTarget,
        harmed((core) => ({
          serveBatch: (batch) => {
            const served = core.serveBatch(batch);
            if (batch.count > 256) batch.addresses[256] = batch.addresses[0] as number;
            return served;
          },
        })),
        true,
      ),
  },
};
