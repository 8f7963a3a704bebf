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
  describeViolation,
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
import type { FuzzDevice, FuzzDriver } from "../subjects/subject.js";
import { assertEnd, audit, type DriverFinding, look, Stop, stop } from "./checks.js";
import type { Decisions } from "./decisions.js";
import { ScenarioFrames } from "./frames.js";
import { GuardedDevice, keepingThrown, missingMethods, type Thrown } from "./guarded-device.js";
import { ScenarioMachines, takeMemory } from "./machines.js";
import { Nic } from "./nic.js";
import { Situations } from "./situations.js";
import { fingerprint } from "./state.js";

/** Options of a player. */
export interface ScenarioPlayerOptions {
  /** The machine's choices, but for `policy`. */
  readonly choices?: Partial<NdisChoices>;
  /** What must hold besides every rule. */
  readonly check?: ScenarioCheck;
  /** Called before each scenario that is played, those of shrinking included: for a watchdog. */
  readonly begin?: (scenario: Scenario) => void;
  /** Called before each step of a scenario: -1 power-on, then the index of the event, then their number for the end. */
  readonly step?: (step: number) => void;
}

/** What a scenario came to. */
export interface ScenarioResult {
  /** What is wrong; null where nothing is. */
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
  /** A line about a frame. */
  readonly note?: (line: string) => void;
  /** A step is over: -1 power-on, an index of `events`, their number for the end. */
  event(index: number, event: ScenarioEvent | null, machine: Machine): void;
}

const MAX_ADAPTERS = 4;
/** Events of the machine that a scenario may lead to, and for each of its own: ten times what drivers were seen to need. */
const MOST_EVENTS = 50_000;
const MOST_EVENTS_EACH = 100;
/** Bursts until an adapter counts as silent, and the frames of each. */
const PROBE_BURSTS = 8;
const PROBE_FRAMES = 3;
const PROBE_FRAME_BYTES = 64;
/** Events of the machine that may follow before a scenario counts as never coming to rest. */
const PATIENCE = 3000;
/** Turns that threads may take at one moment before they count as spinning. */
const MOST_TURNS = 500;
const TIME_STEPS_NS = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11];
const HOLD_NS = [0, 1000, 1_000_000];

/** The player that played last. */
let current: ScenarioPlayer | undefined;

/** The handler that is running now, `MiniportHaltEx` say: for a debugger that has stopped the thread. Empty where none is. */
export function runningCallName(): string {
  return current?.runningCall ?? "";
}

/** Plays scenarios of one driver. */
export class ScenarioPlayer {
  readonly #driver: FuzzDriver;
  readonly #machines: ScenarioMachines;
  readonly #options: ScenarioPlayerOptions;
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
  /** What user code threw, in the order in which it happened. */
  readonly #thrown: Thrown[] = [];
  readonly #keep = (thrown: Thrown): void => {
    this.#thrown.push(thrown);
  };
  #mostEvents = 0;
  #following: Listener | undefined;
  /** A lifecycle call was begun since threads were last let go on. */
  #begun = false;

  constructor(driver: FuzzDriver, options: ScenarioPlayerOptions = {}) {
    this.#driver = driver;
    this.#machines = new ScenarioMachines(driver, options.choices);
    this.#decisions = this.#machines.decisions;
    this.#options = options;
  }

  /** Play a scenario. `log` "lines" keeps the machine's log for `listener`. */
  async play(scenario: Scenario, listener?: Listener, log: LogMode = "off"): Promise<ScenarioResult> {
    current = this;
    this.#options.begin?.(scenario);
    const { step: atStep } = this.#options;
    this.#scenario = scenario;
    this.#following = listener;
    this.#nics = [];
    this.#taken = [];
    this.#frames.begin();
    this.#happened = 0;
    this.#thrown.length = 0;
    this.#mostEvents = MOST_EVENTS + MOST_EVENTS_EACH * scenario.events.length;
    this.#machine = this.#machines.open(scenario, log);
    let step = -1;
    let reported = -2;
    let state = "";
    let finding: DriverFinding | null = null;
    try {
      atStep?.(-1);
      await this.#powerOn();
      listener?.event(-1, null, this.#machine);
      reported = -1;
      for (step = 0; step < scenario.events.length; step++) {
        const event = scenario.events[step] as ScenarioEvent;
        atStep?.(step);
        this.#happen(event);
        if (this.#mayMove()) await this.#settle();
        listener?.event(step, event, this.#machine);
        reported = step;
        this.#look(false);
      }
      state = fingerprint(this.#machine, this.#nics, this.exact ? this.#decisions : null);
      atStep?.(step);
      await this.#end();
      this.#look(true);
      audit(this.#machine, this.#nics);
    } catch (error) {
      const noticed = error instanceof Stop ? error : lockKept(error);
      if (noticed === null) throw error;
      finding = { ...this.#causeOf(noticed).finding, step };
    }
    // The step in which it ended, unless its listener has heard of it.
    if (step > reported) listener?.event(step, scenario.events[step] ?? null, this.#machine);
    return { finding, state, opportunities: this.#decisions.opportunities, events: this.#happened };
  }

  // ---- the machine, by hand ------------------------------------------------------------------------------------------

  /** What user code threw explains what was noticed after it. */
  #causeOf(noticed: Stop): Stop {
    try {
      const { explain = describeViolation } = this.#driver;
      look({ machine: this.#machine, nics: [], thrown: this.#thrown, check: undefined, ended: false, explain });
    } catch (error) {
      if (error instanceof Stop) return error;
      throw error;
    }
    return noticed;
  }

  async #powerOn(): Promise<void> {
    const machine = this.#machine;
    const driver = this.#driver.fresh?.() ?? this.#driver;
    try {
      this.#loaded = await machine.load(driver);
    } catch (error) {
      this.#keep({ call: "DriverEntry", error });
      this.#look(false);
      throw error;
    }
    const { status } = this.#loaded;
    this.#look(false);
    if (status !== NDIS_STATUS_SUCCESS) {
      const what = typeof status === "number" ? `0x${(status >>> 0).toString(16)}` : String(status);
      stop("DriverEntry", "DRIVER_ENTRY", "DriverEntry", `DriverEntry returned ${what}`);
    }
    this.#add();
    await this.#settle();
    this.#look(false);
  }

  /** Begin to add an adapter; it is there at once, and initialized when its handler is through. */
  #add(): void {
    const machine = this.#machine;
    const nic = new Nic();
    const holds = HOLD_NS[this.#scenario.variant % HOLD_NS.length] as number;
    nic.frames.note = this.#following?.note;
    nic.device = this.#makeDevice(nic);
    const settings = this.#userCode("settings", () => this.#driver.settings?.(this.#scenario.variant)) ?? {};
    const added = machine.add(this.#loaded, {
      device: nic.device,
      settings,
      onFrame: (bytes) => nic.frames.indicated(bytes),
      onDrop: () => {
        nic.givenUp++;
        nic.frames.givenUp();
      },
      holdNs: () => holds,
    });
    nic.adapter = machine.adapters.at(-1) as Adapter;
    this.#nics.push(nic);
    // Adding an adapter initializes and restarts it: where it has come to be Paused the second has thrown.
    this.#follow(nic, () => (nic.adapter.state === "Paused" ? "MiniportRestart" : "MiniportInitializeEx"), added);
  }

  /** The device of an adapter: the user's, guarded, or one without a function. */
  #makeDevice(nic: Nic): FuzzDevice {
    const { device: make } = this.#driver;
    if (make === undefined) return new NoiseDevice();
    const onDrop = (): void => {
      nic.refused++;
    };
    const device = this.#userCode("device", () => make({ onDrop, interruptLatencyNs: () => 0 }));
    const missing = missingMethods(device);
    if (missing.length > 0) {
      const message = `device(wire) must return an object with ${missing.join(", ")}; it returned ${describeValue(device)}`;
      stop("DeviceModel", "INCOMPLETE", "device", message);
    }
    return new GuardedDevice(device, this.#keep);
  }

  /** A call into user code outside of every handler. What it throws is the finding. */
  #userCode<T>(call: string, body: () => T): T {
    try {
      return keepingThrown(call, this.#keep, body);
    } catch (error) {
      this.#look(false);
      throw error;
    }
  }

  /** A lifecycle call was begun: remember when it is through, and what it threw. */
  #follow(nic: Nic, name: string | (() => string), call: Promise<unknown>): void {
    nic.busy = true;
    this.#begun = true;
    call.then(
      () => {
        nic.busy = false;
      },
      (error: unknown) => {
        nic.busy = false;
        // Refusals of the machine are its rules, which it has recorded; anything else is the driver's.
        if (error instanceof ShmemError && this.#machine.violations.length > 0) return;
        if (!this.#thrown.some((one) => one.error === error))
          this.#keep({ call: typeof name === "string" ? name : name(), adapter: nic.adapter.name, error });
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
      this.#follow(nic, "MiniportHaltEx", this.#machine.halt(adapter));
    } else if (adapter.state === "Running") this.#follow(nic, "MiniportPause", this.#machine.pause(adapter));
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
        if (adapter.state === "Running" && !nic.busy) this.#follow(nic, "MiniportPause", machine.pause(adapter));
        break;
      case "restart":
        if (adapter.state === "Paused" && !nic.busy) this.#follow(nic, "MiniportRestart", machine.restart(adapter));
        break;
      case "halt":
        nic.wantsHalt = true;
        if (!nic.busy) this.#halt(nic);
        break;
      case "remove":
        if (adapter.state !== "Running" && adapter.state !== "Paused") break;
        if (nic.busy || nic.wantsHalt) break;
        nic.removed = true;
        this.#follow(nic, "surprise removal", machine.surpriseRemove(adapter));
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
    if (++this.#happened > this.#mostEvents) {
      const message = `the scenario has led to ${this.#mostEvents} events of the machine and goes on`;
      stop("ScenarioEnds", "EVENT_LIMIT", this.runningCall, message);
    }
    return this.#machine.event();
  }

  /** The handler that is on the stack, `MiniportHaltEx` say; empty where none is. */
  get runningCall(): string {
    return this.#machine?.environment.callbacks.call ?? "";
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
    const before = nic.refused;
    this.#userCode("device.receive", () => nic.device.receive(frame, frame.length));
    if (nic.refused === before && this.#driver.device !== undefined) nic.frames.expect(frame);
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
    const { check } = this.#options;
    const { explain = describeViolation } = this.#driver;
    look({ machine: this.#machine, nics: this.#nics, thrown: this.#thrown, check, ended, explain });
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

  /**
   * An adapter that is Running, at rest, must receive: of some frames at least one must be indicated, or be given up with a
   * reason. A driver may begin to ask for memory when its device reports that it had no buffer, so it gets several bursts.
   * Other adapters may hold the memory that it lacks, so they are halted before it is blamed; and where memory has run out
   * meanwhile it is not blamed at all.
   */
  async #probe(): Promise<void> {
    if (this.#driver.device === undefined) return;
    const silent: Nic[] = [];
    for (const nic of this.#nics) if (!(await this.#receives(nic))) silent.push(nic);
    const [first] = silent;
    if (first !== undefined) {
      for (const nic of this.#nics) {
        if (nic === first) continue;
        nic.wantsHalt = true;
        if (!nic.busy) this.#halt(nic);
      }
      await this.#settle();
      await this.#comeToRest();
      if (!(await this.#receives(first))) {
        const frames = PROBE_BURSTS * PROBE_FRAMES;
        const message = `${first.adapter.name} is Running and at rest, memory is free, and of ${frames} frames none is indicated or dropped with a reason`;
        stop("ReceivesWhenRunning", "STALL", "", message);
      }
    }
    this.#look(false);
  }

  async #receives(nic: Nic): Promise<boolean> {
    const { core } = this.#machine;
    const failures = core.stats().failures;
    for (let burst = 0; burst < PROBE_BURSTS; burst++) {
      if (nic.adapter.state !== "Running" || nic.busy || nic.removed) return true;
      const before = nic.frames.delivered + nic.givenUp;
      for (let i = 0; i < PROBE_FRAMES; i++) this.#frame(nic, PROBE_FRAME_BYTES);
      await this.#comeToRest();
      this.#look(false);
      if (nic.frames.delivered + nic.givenUp > before) return true;
    }
    return core.stats().failures > failures;
  }
}

function describeValue(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value);
  return `an object with ${Object.keys(value).slice(0, 8).join(", ") || "no properties of its own"}`;
}

/**
 * A callback of the driver has returned and holds a spin lock. Nothing says so at once, because a lock may be handed on; but the
 * machine lets nothing happen while one is held, and refuses the next event. That is the driver's fault, not the player's.
 */
function lockKept(error: unknown): Stop | null {
  if (!(error instanceof ShmemError) || error.code !== "WRONG_CONTEXT" || error.unit !== "locks") return null;
  const message = `${String(error.value)} spin locks are held, and the callback that took them has returned`;
  return new Stop({ rule: "SpinLock", code: "WRONG_CONTEXT", call: "", message });
}
