/**
 * Every operation sequence on a zone of eight frames, up to a depth: no luck needed.
 *
 *     start ─ 18 operations ─► states ─ 18 operations ─► states ...   equal images are one state
 *
 * Breadth first. Two states with one image digest have the same future, so each is left only once; every transition out of
 * it is played on the core and on the reference model. The digest covers all that can decide a later answer, so nothing is lost by
 * the cut: the transitions stand for every sequence there is.
 */
import type { CoreOptions, VirtualAddress } from "../../../bindings/index.js";
import { Judge } from "../../model/index.js";
import type { RewindableCore } from "./core-player.js";
import { findingOf, guardSubject, refusalCode } from "./subject-fault.js";

const FRAMES = 8;
const FRAME_BYTES = 64;

/** The zone: eight frames from frame 13 on, so that starts of every alignment and both odd ends occur. */
export const EXHAUSTIVE_OPTIONS: CoreOptions = {
  zones: [{ base: 13 * FRAME_BYTES, size: FRAMES * FRAME_BYTES }],
  frameSize: FRAME_BYTES,
  arena: null,
};

/** What the search came to. */
export interface ExhaustiveResult {
  readonly depth: number;
  /** Different images, the first included. */
  readonly states: number;
  /** Operations played, each compared with the reference model's answer. */
  readonly transitions: number;
  /** Sequences of exactly `depth` operations that these stand for. */
  readonly sequences: number;
  /** The first wrong answer, with the operations that lead to it. */
  readonly finding: { readonly path: readonly string[]; readonly message: string } | null;
}

interface Step {
  readonly name: string;
  play(core: RewindableCore, model: Judge): string | undefined;
}

function allocate(lengthBytes: number, alignment: number): Step {
  const options = alignment === 1 ? undefined : { alignment: alignment * FRAME_BYTES };
  return {
    name: `allocate ${lengthBytes}${alignment === 1 ? "" : ` aligned to ${alignment} frames`}`,
    play(core, model) {
      const address = core.allocate(lengthBytes, options);
      if (address === 0) return model.confirmFailure(lengthBytes, options, core.lastFailure);
      return model.adopt(address, core.runs(address, lengthBytes), lengthBytes, options);
    },
  };
}

function free(frame: number): Step {
  return {
    name: `free frame ${frame}`,
    play(core, model) {
      const zone = EXHAUSTIVE_OPTIONS.zones[0] as (typeof EXHAUSTIVE_OPTIONS.zones)[number];
      const address = (2 ** 46 + zone.base + frame * FRAME_BYTES) as VirtualAddress;
      const given = refusalCode(() => core.free(address)) ?? "success";
      const expected = refusalCode(() => model.free(address)) ?? "success";
      return given === expected ? undefined : `free came to ${given}, the reference model says ${expected}`;
    },
  };
}

const STEPS: readonly Step[] = [
  ...Array.from({ length: FRAMES }, (_, i) => allocate((i + 1) * FRAME_BYTES, 1)),
  allocate(FRAME_BYTES + 1, 1),
  allocate(FRAME_BYTES, 2),
  ...Array.from({ length: FRAMES }, (_, frame) => free(frame)),
];

/** Operations that each state is left by. */
export const EXHAUSTIVE_STEPS: number = STEPS.length;

interface Frontier {
  readonly path: readonly number[];
  /** The state as the core and the reference model keep it. */
  readonly core: Uint8Array;
  readonly model: Uint8Array;
}

/** Play every sequence of up to `depth` operations on `subject`, which was opened with `EXHAUSTIVE_OPTIONS`. */
export function exhaust(subject: RewindableCore, depth: number): ExhaustiveResult {
  const core = guardSubject(subject);
  const seen = new Set<string>([core.imageDigest()]);
  const model = new Judge(EXHAUSTIVE_OPTIONS);
  let transitions = 0;
  let level: Frontier[] = [{ path: [], core: core.snapshot(), model: model.snapshot() }];
  for (let done = 0; done < depth; done++) {
    const next: Frontier[] = [];
    for (const from of level) {
      for (const [index, step] of STEPS.entries()) {
        core.rewind(from.core);
        model.restore(from.model);
        transitions++;
        const message = playStep(step, core, model);
        if (message !== undefined) {
          const path = [...from.path, index].map((at) => (STEPS[at] as Step).name);
          return {
            depth,
            states: seen.size,
            transitions,
            sequences: STEPS.length ** depth,
            finding: { path, message },
          };
        }
        const image = core.imageDigest();
        if (seen.has(image)) continue;
        seen.add(image);
        const unsound = compare(core, model);
        if (unsound !== undefined) {
          const path = [...from.path, index].map((at) => (STEPS[at] as Step).name);
          const finding = { path, message: unsound };
          return { depth, states: seen.size, transitions, sequences: STEPS.length ** depth, finding };
        }
        next.push({ path: [...from.path, index], core: core.snapshot(), model: model.snapshot() });
      }
    }
    level = next;
  }
  return { depth, states: seen.size, transitions, sequences: STEPS.length ** depth, finding: null };
}

function playStep(step: Step, core: RewindableCore, model: Judge): string | undefined {
  try {
    return step.play(core, model);
  } catch (error) {
    return findingOf(error, 0).message;
  }
}

function compare(core: RewindableCore, model: Judge): string | undefined {
  const [broken] = core.verify();
  if (broken !== undefined) return `verify: ${broken.rule}: ${broken.message}`;
  if (core.digest() !== model.digest()) return "the digests differ";
  const [given, expected] = [core.stats(), model.stats()];
  const differs = (Object.keys(given) as (keyof typeof given)[]).find(
    (name) => name !== "peakLiveBytes" && name !== "failures" && given[name] !== expected[name],
  );
  return differs === undefined
    ? undefined
    : `${differs} is ${given[differs]}, the reference model says ${expected[differs]}`;
}
