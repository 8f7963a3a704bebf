/**
 * The machines that scenarios are played on.
 *
 * One core and one arena, for each size of memory, serve every scenario: they are rewound, which costs a copy of a few
 * kilobytes of metadata. Nothing happens by itself: requests are served and delivered when the scenario says so, lifecycle
 * calls only begin, and the player lets the rest happen.
 */
import {
  Core,
  type CoreOptions,
  type NdisChoices,
  resolveChoices,
  type VirtualAddress,
} from "../../../bindings/index.js";
import { type LogMode, Machine } from "../../machine/index.js";
import type { Scenario } from "../scenario/scenario.js";
import type { FuzzDriver } from "../subjects/subject.js";
import { Decisions } from "./decisions.js";

const FRAME_BYTES = 4096;
const DEFAULT_ARENA_BYTES = 256 * 1024;
const LOW_BASE = 2 ** 24;
const HIGH_BASE = 2 ** 33;

interface Fixture {
  readonly core: Core;
  /** The core as it was opened. */
  readonly fresh: Uint8Array;
  readonly open: Readonly<Record<LogMode, () => Machine>>;
}

/** Cores to play scenarios on, one for each size of memory. */
export class ScenarioMachines {
  readonly #driver: FuzzDriver;
  readonly #choices: NdisChoices;
  readonly decisions: Decisions = new Decisions();
  readonly #fixtures: Map<number, Fixture> = new Map();

  constructor(driver: FuzzDriver, choices: Partial<NdisChoices> = {}) {
    this.#driver = driver;
    this.#choices = resolveChoices({ ...choices, policy: "collect" });
  }

  /** A fresh machine for a scenario. The one before must not be used any more. */
  open(scenario: Scenario, log: LogMode): Machine {
    const fixture = this.#fixture(scenario.memory);
    fixture.core.rewind(fixture.fresh);
    this.decisions.begin(scenario);
    return fixture.open[log]();
  }

  #fixture(memory: number): Fixture {
    const known = this.#fixtures.get(memory);
    if (known !== undefined) return known;
    const { arenaBytes = DEFAULT_ARENA_BYTES, addressing = 64 } = this.#driver;
    const frames = Math.max(2, Math.floor(arenaBytes / FRAME_BYTES) >> memory);
    const base = addressing === 32 ? LOW_BASE : HIGH_BASE;
    const size = frames * FRAME_BYTES;
    const { zones, arena } = this.#driver.memory?.(size, base) ?? {
      zones: [{ base, size }],
      arena: new ArrayBuffer(size),
    };
    const options: CoreOptions = { zones, arena, tags: true };
    const core = Core.openSync(options);
    const opener = (log: LogMode): (() => Machine) =>
      Machine.opener({
        zones,
        arena,
        core: () => core,
        schedule: { order: "manual", choose: this.decisions },
        lifecycle: "byHand",
        choices: this.#choices,
        batch: 1,
        faults: this.decisions,
        log,
      });
    const open = {
      off: opener("off"),
      digest: opener("digest"),
      recent: opener("recent"),
      lines: opener("lines"),
    };
    const fixture: Fixture = { core, fresh: core.snapshot(), open };
    this.#fixtures.set(memory, fixture);
    return fixture;
  }
}

/** Takes single frames until `left` are free, as other users of the memory would. */
export function takeMemory(machine: Machine, left: number, taken: VirtualAddress[]): void {
  const { core } = machine;
  for (let free = core.stats().freeBytes; free > left * FRAME_BYTES; free -= FRAME_BYTES) {
    const address = core.allocate(FRAME_BYTES);
    if (address === 0) return;
    taken.push(address);
  }
}
