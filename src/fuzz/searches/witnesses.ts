/**
 * Whether a driver is the same in every scenario: state that survives from one to the next is noticed, and told.
 *
 *     runs    0  1  2  3 ...        8       16         32 ...
 *             w0 w1 w2 w3           w0 again  w1 again   w2 again        the same scenario must leave the same log
 *
 * A real driver's image is loaded afresh with its machine. A module of JavaScript is not: what it keeps in variables of the
 * module goes on from scenario to scenario. Then a finding may not repeat, and a search may come to less and less without a
 * word. The first scenarios are witnesses, which are played again at intervals that double. What they log must not change.
 */
import type { ScenarioPlayer } from "../player/player.js";
import type { Scenario } from "../scenario/scenario.js";

const WITNESSES = 4;
const FIRST_CHECK = 8;
/** Checks are never further apart, so that little is played in vain. */
const MOST_APART = 4096;

interface Witness {
  readonly scenario: Scenario;
  readonly log: string;
}

/** What changed: the difference in words, and after how many scenarios it was noticed. */
export interface Drift {
  readonly afterRuns: number;
  readonly message: string;
}

/** See the head of this file. */
export class Witnesses {
  readonly #player: ScenarioPlayer;
  readonly #witnesses: Witness[] = [];
  #nextCheck = FIRST_CHECK;
  #turn = 0;
  /** Null as long as nothing was noticed. */
  drift: Drift | null = null;

  constructor(player: ScenarioPlayer) {
    this.#player = player;
  }

  /** A scenario was played, number `run` from 0, and nothing was wrong with it. */
  async watch(scenario: Scenario, run: number): Promise<void> {
    if (this.drift !== null) return;
    if (this.#witnesses.length < WITNESSES) {
      this.#witnesses.push({ scenario, log: await this.#logOf(scenario) });
      return;
    }
    if (run < this.#nextCheck) return;
    this.#nextCheck += Math.min(this.#nextCheck, MOST_APART);
    await this.check(run);
  }

  /** Play the next witness again. */
  async check(run: number): Promise<void> {
    const witness = this.#witnesses[this.#turn++ % WITNESSES];
    if (witness === undefined || this.drift !== null) return;
    const now = await this.#logOf(witness.scenario);
    if (now === witness.log) return;
    const before = witness.log.split("\n");
    const after = now.split("\n");
    const at = before.findIndex((line, index) => line !== after[index]);
    const [was, is] = [before[at] ?? "nothing more", after[at < 0 ? before.length : at] ?? "nothing more"];
    this.drift = {
      afterRuns: run + 1,
      message: `the same scenario was played twice and did not go the same way: first \`${was}\`, later \`${is}\``,
    };
  }

  async #logOf(scenario: Scenario): Promise<string> {
    let log: readonly string[] = [];
    const listener = {
      event: (_index: number, _event: unknown, machine: { readonly log: readonly string[] }) => {
        log = machine.log;
      },
    };
    const { finding } = await this.#player.play(scenario, listener, "lines");
    return [...log, finding === null ? "" : `finding ${finding.rule} ${finding.code}`].join("\n");
  }
}
