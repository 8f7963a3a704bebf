/**
 * Plays scenarios on a driver and checks it after each event and at the end (checks.ts).
 *
 *     power-on ─ events of the scenario, one by one ─ quiesce ─ probe ─ halt of every adapter ─ what is left?
 *                      after each: violations? handler errors? the user's own check?
 *
 * Quiesce: no more failures are injected, memory is given back, everything that is due happens. Probe: an adapter that is
 * Running must still receive.
 */
import {
  NDIS_STATUS_SUCCESS,
  type NdisChoices,
  NdisShutdownBugCheck,
  NdisShutdownPowerOff,
  ShmemError,
  type VirtualAddress,
} from "../../../bindings/index.js";
import type { Adapter, LoadedDriver, LogMode, Machine } from "../../machine/index.js";
import type { Scenario, ScenarioEvent } from "../scenario/scenario.js";
import type { ScenarioCheck } from "../subjects/check.js";
import { NoiseDevice } from "../subjects/noise-device.js";
import type { FuzzDriver } from "../subjects/subject.js";
import { assertEnd, audit, type DriverFinding, look, Stop, stop } from "./checks.js";
import type { Decisions } from "./decisions.js";
import { ScenarioFrames } from "./frames.js";
import { ScenarioMachines, takeMemory } from "./machines.js";
import { Nic } from "./nic.js";
import { Situations } from "./situations.js";
import { fingerprint } from "./state.js";

/** Options of a player. */
export interface ScenarioPlayerOptions {
  readonly choices?: Partial<NdisChoices>;
  readonly check?: ScenarioCheck;
}

/** What a scenario came to. */
export interface ScenarioResult {
  readonly finding: DriverFinding | null;
  /** Equal for scenarios that left the machine alike: how many different states were seen. */
  readonly state: string;
  /** Allocations that could have failed. */
  readonly opportunities: number;
  /** Events of the scenario that happened, and what the machine did by itself. */
  readonly events: number;
}

/** Follows a scenario as it is played: for reproductions. */
export interface Listener {
  event(index: number, event: ScenarioEvent | null, machine: Machine): void;
}

const MAX_ADAPTERS = 4;
/** Events of the machine that may follow before a scenario counts as never coming to rest. */
const PATIENCE = 3000;
/** Turns that threads may take at one moment before they count as spinning. */
const MOST_TURNS = 500;
const TIME_STEPS_NS = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11];
const HOLD_NS = [0, 1000, 1_000_000];

/** Plays scenarios of one driver. */
export class ScenarioPlayer {
  readonly #driver: FuzzDriver;
  readonly #machines: ScenarioMachines;
  readonly #check: ScenarioCheck | undefined;
  /** What has happened to the driver so far, and in which state of its adapter: over all scenarios. */
  readonly situations: Situations = new Situations();
  /** States count as equal only where the bytes of live blocks and the armed failures are: for searches that cut. */
  exact = false;
  // Of the scenario that is played now.
  #machine!: Machine;
  #loaded!: LoadedDriver;
  readonly #decisions: Decisions;
  #scenario!: Scenario;
  #nics: Nic[] = [];
  #taken: VirtualAddress[] = [];
  readonly #frames: ScenarioFrames = new ScenarioFrames();
  #happened = 0;
  #failure: unknown;
  /** A lifecycle call was begun since threads were last let go on. */
  #begun = false;

  constructor(driver: FuzzDriver, options: ScenarioPlayerOptions = {}) {
    this.#driver = driver;
    this.#machines = new ScenarioMachines(driver, options.choices);
    this.#decisions = this.#machines.decisions;
    this.#check = options.check;
  }

  /** Play a scenario. `log` "lines" keeps the machine's log for `listener`. */
  async play(scenario: Scenario, listener?: Listener, log: LogMode = "off"): Promise<ScenarioResult> {
    this.#scenario = scenario;
    this.#nics = [];
    this.#taken = [];
    this.#frames.begin();
    this.#happened = 0;
    this.#failure = undefined;
    this.#machine = this.#machines.open(scenario, log);
    let step = -1;
    let state = "";
    let finding: DriverFinding | null = null;
    try {
      await this.#powerOn();
      listener?.event(-1, null, this.#machine);
      for (step = 0; step < scenario.events.length; step++) {
        const event = scenario.events[step] as ScenarioEvent;
        this.#happen(event);
        if (this.#mayMove()) await this.#settle();
        listener?.event(step, event, this.#machine);
        this.#look(false);
      }
      state = fingerprint(this.#machine, this.#nics, this.exact ? this.#decisions : null);
      await this.#end();
      this.#look(true);
      audit(this.#machine, this.#nics);
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
      finding = { ...error.finding, step };
    }
    listener?.event(scenario.events.length, null, this.#machine);
    return { finding, state, opportunities: this.#decisions.opportunities, events: this.#happened };
  }

  // ---- the machine, by hand ------------------------------------------------------------------------------------------

  async #powerOn(): Promise<void> {
    const machine = this.#machine;
    this.#loaded = await machine.load(this.#driver);
    if (this.#loaded.status !== NDIS_STATUS_SUCCESS) {
      stop(
        "DriverEntry",
        "DRIVER_ENTRY",
        "DriverEntry",
        `DriverEntry returned 0x${(this.#loaded.status >>> 0).toString(16)}`,
      );
    }
    this.#add();
    await this.#settle();
  }

  /** Begin to add an adapter; it is there at once, and initialized when its handler is through. */
  #add(): void {
    const machine = this.#machine;
    const nic = new Nic();
    const holds = HOLD_NS[this.#scenario.variant % HOLD_NS.length] as number;
    nic.device =
      this.#driver.device?.({
        onDrop: () => {
          nic.lost++;
        },
        interruptLatencyNs: () => 0,
      }) ?? new NoiseDevice();
    const added = machine.add(this.#loaded, {
      device: nic.device,
      settings: this.#driver.settings?.(this.#scenario.variant) ?? {},
      onFrame: (bytes) => nic.upper.indicated(bytes),
      onDrop: () => {
        nic.givenUp++;
        nic.upper.givenUp();
      },
      holdNs: () => holds,
    });
    nic.adapter = machine.adapters.at(-1) as Adapter;
    this.#nics.push(nic);
    this.#follow(nic, added);
  }

  /** A lifecycle call was begun: remember when it is through, and what it threw. */
  #follow(nic: Nic, call: Promise<unknown>): void {
    nic.busy = true;
    this.#begun = true;
    call.then(
      () => {
        nic.busy = false;
      },
      (error: unknown) => {
        nic.busy = false;
        // Refusals of the machine are its rules, which it has recorded; anything else is the driver's.
        if (!(error instanceof ShmemError)) this.#failure ??= error;
        else if (this.#machine.violations.length === 0) this.#failure ??= error;
      },
    );
  }

  /** Threads go on as far as they can; promises that are settled are heard. */
  async #settle(): Promise<void> {
    const machine = this.#machine;
    // Where no call was begun and no thread can go on, nothing is under way in the promise queue. Otherwise a call that
    // needs no thread is through after a few turns of it; one that waits takes four looks.
    let moves = this.#begun;
    this.#begun = false;
    for (let turn = 0; turn < 4; turn++) {
      if (machine.runnable) {
        moves = true;
        if (!(await machine.settle(MOST_TURNS)))
          stop("HandlerReturns", "SPIN", "", "a handler waits, over and over, for what is there already");
      } else if (!moves) break;
      await null;
      await null;
      if (!this.#anyBusy()) break;
    }
    for (const nic of this.#nics) if (nic.wantsHalt && !nic.busy) this.#halt(nic);
    if (machine.runnable) await machine.settle(MOST_TURNS);
  }

  /** Is there anything that `#settle` could move? A thread that waits for something that has to happen first is not. */
  #mayMove(): boolean {
    return this.#begun || this.#machine.runnable;
  }

  #anyWantsHalt(): boolean {
    for (const nic of this.#nics) if (nic.wantsHalt) return true;
    return false;
  }

  /** Is a lifecycle call on its way? */
  #anyBusy(): boolean {
    for (const nic of this.#nics) if (nic.busy) return true;
    return false;
  }

  #halt(nic: Nic): void {
    const { adapter } = nic;
    if (adapter.state === "Paused") {
      nic.wantsHalt = false;
      this.#follow(nic, this.#machine.halt(adapter));
    } else if (adapter.state === "Running") this.#follow(nic, this.#machine.pause(adapter));
    else if (adapter.state === "Halted" || adapter.state === "Shutdown") nic.wantsHalt = false;
  }

  /** One event of a scenario. What cannot happen now does nothing. */
  #happen({ kind, adapter: which, amount, detail }: ScenarioEvent): void {
    const machine = this.#machine;
    const nic = this.#nics[which % this.#nics.length] as Nic;
    const { adapter } = nic;
    this.situations.note(kind, adapter.record, machine.environment.dispatcher.undelivered, adapter.services.framesOut);
    switch (kind) {
      case "frames":
        for (let i = 0; i <= amount % 8; i++) this.#frame(nic, 60 + detail * 6);
        break;
      case "serve":
        this.#decisions.next = amount;
        machine.serve();
        break;
      case "deliver":
        for (let i = 0; i <= amount % 4; i++) if (!machine.deliver()) break;
        break;
      case "event":
        for (let i = 0; i <= amount % 8; i++) this.#event();
        break;
      case "time":
        this.#pass(TIME_STEPS_NS[amount % TIME_STEPS_NS.length] as number);
        break;
      case "failQueue":
        this.#decisions.armed.queue = 1 + (amount % 3);
        break;
      case "failService":
        this.#decisions.armed.service = 1 + (amount % 3);
        break;
      case "failSynchronous":
        this.#decisions.armed.synchronous = 1 + (amount % 3);
        break;
      case "race":
        this.#decisions.raceNext = true;
        break;
      case "pause":
        if (adapter.state === "Running" && !nic.busy) this.#follow(nic, machine.pause(adapter));
        break;
      case "restart":
        if (adapter.state === "Paused" && !nic.busy) this.#follow(nic, machine.restart(adapter));
        break;
      case "halt":
        nic.wantsHalt = true;
        if (!nic.busy) this.#halt(nic);
        break;
      case "remove":
        if (adapter.state !== "Running" && adapter.state !== "Paused") break;
        if (nic.busy || nic.wantsHalt) break;
        nic.removed = true;
        this.#follow(nic, machine.surpriseRemove(adapter));
        break;
      case "shutdown":
        if (nic.busy || (adapter.state !== "Running" && adapter.state !== "Paused")) break;
        nic.shutDown = true;
        machine.shutdown(adapter, detail % 2 === 1 ? NdisShutdownBugCheck : NdisShutdownPowerOff);
        break;
      case "add":
        if (this.#nics.length < MAX_ADAPTERS) this.#add();
        break;
      case "memoryPressure":
        takeMemory(machine, amount % 4, this.#taken);
        break;
      case "memoryRelief":
        this.#giveMemoryBack();
        break;
      case "interrupt":
        if (!nic.removed) adapter.services.raiseInterrupt();
        break;
      case "deviceWrite":
        this.#deviceWrite(nic, amount, detail);
        break;
    }
    this.#happened++;
  }

  #event(): boolean {
    this.#happened++;
    return this.#machine.event();
  }

  /** Time passes: what becomes due happens, as long as no thread has to go on first. */
  #pass(delayNs: number): void {
    const machine = this.#machine;
    const until = machine.nowNs + delayNs;
    let reached = false;
    machine.after(delayNs, () => {
      reached = true;
    });
    for (let i = 0; i < 64 && !reached && machine.nextEventNs <= until; i++) this.#event();
  }

  #frame(nic: Nic, lengthBytes: number): void {
    if (nic.removed || nic.shutDown || nic.adapter.state === "Halted" || nic.adapter.state === "Shutdown") return;
    const frame = this.#frames.cut(lengthBytes);
    const before = nic.lost;
    nic.device.receive(frame, frame.length);
    if (nic.lost === before && this.#driver.device !== undefined) nic.upper.expect(frame);
  }

  /** Bytes of a block change, as a device may change them that owns it. Only where the device is of no known kind. */
  #deviceWrite(nic: Nic, amount: number, detail: number): void {
    if (this.#driver.device !== undefined || nic.removed || nic.adapter.liveBlocks === 0) return;
    const { environment, core } = this.#machine;
    const blocks = environment.blocks.liveBlocksOf(nic.adapter.record);
    const block = blocks[amount % Math.max(1, blocks.length)];
    if (block === undefined) return;
    const bytes = core.bytes(block.virtual as VirtualAddress, Math.min(block.lengthBytes, 1 + (detail % 16)));
    bytes.fill(detail);
  }

  #giveMemoryBack(): void {
    for (const address of this.#taken.splice(0)) this.#machine.core.free(address);
  }

  // ---- the end -------------------------------------------------------------------------------------------------------

  #look(ended: boolean): void {
    look(this.#machine, this.#nics, this.#failure, this.#check, ended, this.#driver.explain);
  }

  /** Quiesce, probe, halt. */
  async #end(): Promise<void> {
    this.#decisions.quiesce();
    this.#giveMemoryBack();
    for (const nic of this.#nics) if (nic.wantsHalt && !nic.busy) this.#halt(nic);
    await this.#comeToRest();
    this.#look(false);
    await this.#probe();
    for (const nic of this.#nics) {
      nic.wantsHalt = true;
      if (!nic.busy) this.#halt(nic);
    }
    await this.#settle();
    await this.#comeToRest();
    this.#look(false);
    assertEnd(this.#nics);
  }

  /** Everything that is due happens, in the plain order. Periodic timers are left alone after a while. */
  async #comeToRest(): Promise<void> {
    const machine = this.#machine;
    const { dispatcher } = machine.environment;
    this.#decisions.next = 0;
    for (let i = 0; i < PATIENCE; i++) {
      if (this.#mayMove() || this.#anyWantsHalt()) await this.#settle();
      if (machine.deliver()) continue;
      if (dispatcher.waiting > 0 && machine.serve() > 0) continue;
      if (machine.suspended === 0 && !this.#anyBusy() && this.#isIdle(i)) return;
      if (!this.#event()) return;
    }
  }

  /** Nothing but slow timers is left: what is due within a second has happened. */
  #isIdle(turns: number): boolean {
    const { nextEventNs, nowNs } = this.#machine;
    return turns > 0 && nextEventNs > nowNs + 1e9;
  }

  /** An adapter that runs, at rest, with memory: of three frames at least one must come up, or be given up with a reason. */
  async #probe(): Promise<void> {
    if (this.#driver.device === undefined) return;
    for (const nic of this.#nics) {
      if (nic.adapter.state !== "Running" || nic.busy || nic.removed) continue;
      const before = nic.upper.delivered + nic.givenUp;
      for (let i = 0; i < 3; i++) this.#frame(nic, 64);
      await this.#comeToRest();
      if (nic.upper.delivered + nic.givenUp === before) {
        // A violation that stopped the device is the cause, and told in its place.
        this.#look(false);
        stop(
          "ReceivesWhenRunning",
          "STALL",
          "",
          `${nic.adapter.name} is Running and at rest, and receives nothing any more`,
        );
      }
    }
    this.#look(false);
  }
}
