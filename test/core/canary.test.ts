/**
 * The random test is meant to find bugs: each of these subjects has one planted, and each must be found. An unharmed
 * subject must pass.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AllocateOptions, CoreApi, CoreOptions, VirtualAddress } from "../../bindings/index.js";
import { ShmemError } from "../../bindings/index.js";
import { Judge } from "../../src/model/index.js";
import { fight } from "./duel.js";
import { actions, rareActions } from "./duel-actions.js";

type Bug = (sound: Judge) => Partial<CoreApi>;

const OPTIONS: CoreOptions = {
  zones: [
    { base: 0x5000, size: 100 * 256 },
    { base: 2 ** 32, size: 151 * 256, node: 1 },
  ],
  frameSize: 256,
  tags: true,
  arena: null,
};

/** A judge, some of whose methods are replaced. */
function harmed(bug: Bug): (options: CoreOptions) => CoreApi {
  return (options) => {
    const sound = new Judge(options);
    const replaced = bug(sound) as Record<string | symbol, unknown>;
    return new Proxy<CoreApi>(sound, {
      get: (_, key) => {
        if (key in replaced) return replaced[key];
        const value: unknown = Reflect.get(sound, key, sound);
        return typeof value === "function" ? value.bind(sound) : value;
      },
    });
  };
}

const frames = (lengthBytes: number): number => Math.ceil(lengthBytes / 256);
const withOption =
  (change: (options: AllocateOptions) => AllocateOptions): Bug =>
  (sound) => ({
    allocate: (length, options) => sound.allocate(length, options === undefined ? undefined : change(options)),
  });

const bugs: Readonly<Record<string, Bug>> = {
  "rounds every request up to a power of two of frames": (sound) => ({
    allocate: (length, options) => sound.allocate(256 * 2 ** Math.ceil(Math.log2(frames(length))), options),
    lengthOf: (address) => sound.lengthOf(address),
  }),
  "gives up when less than a tenth is free": (sound) => ({
    allocate: (length, options) => {
      const { freeBytes, totalBytes } = sound.stats();
      return sound.allocate(freeBytes < totalBytes / 10 ? 2 ** 32 - 1 : length, options);
    },
  }),
  "takes highest for exclusive": withOption(({ highest, ...rest }) =>
    highest === undefined ? rest : { ...rest, highest: highest > 0 ? highest - 1 : highest },
  ),
  "takes highest for one byte more": withOption(({ highest, ...rest }) =>
    highest === undefined ? rest : { ...rest, highest: highest >= 0 && highest < 2 ** 52 - 1 ? highest + 1 : highest },
  ),
  "ignores the node": withOption(({ node, ...rest }) => rest),
  "ignores the preferred node": withOption(({ preferredNode, ...rest }) => rest),
  "ignores the alignment": withOption(({ alignment, ...rest }) => rest),
  "never scatters": withOption(({ contiguous, ...rest }) => rest),
  "forgets tags": withOption(({ tag, ...rest }) => rest),
  "tries low zones first": (sound) => ({
    allocate: (length, options) => sound.allocate(length, { preferredNode: 0, ...options }),
  }),
  "hands a block out twice, once in a while": (sound) => {
    let last = 0 as VirtualAddress;
    let count = 0;
    return {
      allocate: (length, options) => {
        if (++count % 97 === 0 && last !== 0 && sound.explain(last).state === "live") return last;
        const address = sound.allocate(length, options);
        if (address !== 0) last = address;
        return address;
      },
    };
  },
  "says fragmented for exhausted": (sound) => ({
    get lastFailure() {
      const failure = sound.lastFailure;
      return failure && { ...failure, reason: failure.reason === "exhausted" ? "fragmented" : failure.reason };
    },
  }),
  "forgets one free in fifty": (sound) => {
    let count = 0;
    return {
      free: (...args) => {
        if (++count % 50 === 0 && sound.explain(args[0]).block?.virtual === args[0]) return;
        sound.free(...args);
      },
    };
  },
  "accepts any length at free": (sound) => ({ free: (address, _, tag) => sound.free(address, undefined, tag) }),
  "accepts any tag at free": (sound) => ({ free: (address, length) => sound.free(address, length) }),
  "says never allocated for already freed": (sound) => ({
    lengthOf: (address) => {
      try {
        return sound.lengthOf(address);
      } catch (error) {
        if (!(error instanceof ShmemError) || error.code !== "ALREADY_FREED") throw error;
        throw new ShmemError("NEVER_ALLOCATED", error.message, { value: error.value });
      }
    },
  }),
  "answers whole frames for a length": (sound) => ({ lengthOf: (address) => frames(sound.lengthOf(address)) * 256 }),
  "translates one byte short": (sound) => ({
    translate: (address) => {
      const { physical, lengthBytes } = sound.translate(address);
      return { physical, lengthBytes: Math.max(1, lengthBytes - 1) };
    },
  }),
  "cuts runs at frames": (sound) => ({
    runs: (address, lengthBytes) => {
      const runs = sound.runs(address, lengthBytes);
      return runs.flatMap(({ physical, lengthBytes: bytes }) =>
        bytes <= 256
          ? [{ physical, lengthBytes: bytes }]
          : [
              { physical, lengthBytes: 256 },
              { physical: (physical + 256) as typeof physical, lengthBytes: bytes - 256 },
            ],
      );
    },
  }),
  "frees part of a batch before it refuses": (sound) => ({
    freeBatch: (addresses) => {
      for (const [index, address] of addresses.entries()) {
        try {
          sound.free(address as VirtualAddress);
        } catch (error) {
          const { code, value } = error as ShmemError;
          throw new ShmemError(code, "bad entry", { value, index });
        }
      }
    },
  }),
  "stops a batch at the first failure": (sound) => ({
    allocateBatch: (lengths, addresses, physicals) => {
      let served = 0;
      if (lengths.includes(0)) return sound.allocateBatch(lengths, addresses);
      for (const [i, length] of lengths.entries()) {
        const one = new Float64Array(1);
        if (served < i) return sound.allocateBatch(lengths.subarray(0, 0), addresses) + served;
        served += sound.allocateBatch(Uint32Array.of(length), one, physicals?.subarray(i));
        addresses[i] = one[0] as number;
      }
      return served;
    },
  }),
  "unmaps from the inside": (sound) => ({
    unmap: (virtual) => {
      const { state, block } = sound.explain(virtual);
      sound.unmap(state === "foreign" && block !== undefined ? block.virtual : virtual);
    },
  }),
  "loses mappings in snapshots": (sound) => {
    const mapped: VirtualAddress[] = [];
    return {
      map: (virtual, runs) => {
        sound.map(virtual, runs);
        mapped.push(virtual);
      },
      restore: (snapshot) => {
        sound.restore(snapshot);
        for (const virtual of mapped) if (sound.explain(virtual).state === "foreign") sound.unmap(virtual);
      },
    };
  },
  "leaves a trace of refused calls": (sound) => {
    let refused = 0;
    return {
      free: (...args) => {
        try {
          sound.free(...args);
        } catch (error) {
          refused++;
          throw error;
        }
      },
      imageDigest: () => `${sound.imageDigest().slice(0, 8)}${refused.toString(16).padStart(8, "0")}`,
    };
  },
  "counts the peak from the last snapshot": (sound) => ({
    stats: () => {
      const stats = sound.stats();
      return { ...stats, peakLiveBytes: Math.min(stats.peakLiveBytes, stats.liveBytes + 20 * 256) };
    },
  }),
  "miscounts failures": (sound) => ({ stats: () => ({ ...sound.stats(), failures: 0 }) }),
  "has a digest without tags": (sound) => ({ digest: () => sound.digest().replace(/[89ab]/g, "8") }),
};

const test = suite("canary");
const plan = { options: OPTIONS, actions: [...actions, ...rareActions], steps: 12_000, seed: 5 };

test("an unharmed judge passes against itself, and every action is played", () => {
  const played = fight({ ...plan, open: (options) => new Judge(options) });
  for (const [action, times] of played) assert.ok(times > 5, `${action} was played ${times} times`);
});

for (const [what, bug] of Object.entries(bugs)) {
  test(`found: a core that ${what}`, () => {
    let found: unknown;
    for (let seed = 5; seed < 15 && found === undefined; seed++) {
      try {
        fight({ ...plan, seed, open: harmed(bug) });
      } catch (error) {
        found = error;
      }
    }
    assert.instance(found, Error, `not found by ten seeds of ${plan.steps} steps each`);
    assert.match((found as Error).message, /^seed (\d+), step \d+ \(NDIS_SHMEM_SEED=\1 repeats it\): /);
  });
}

test.run();
