/**
 * One run of a C driver on one machine: its handles, adapters, and where things happened.
 *
 * The loader is a client of the NDIS face, as a driver in TypeScript is. What the face finds wrong is recorded there; this
 * file remembers the place in the C source for each finding, block and object. What only C can do wrong (an address that
 * may not be touched, a call that never ends) is found here and recorded through the same environment.
 */
import {
  AdapterHandleClass,
  type AdapterRecord,
  type AdapterServices,
  adapterServices,
  type Callbacks,
  type DriverObjectHandle,
  type ErrorCode,
  hex,
  type MachineEvent,
  type NDIS_HANDLE,
  type NdisEnvironment,
  ShmemError,
  type Violation,
} from "../../bindings/index.js";
import { type HandleKind, HandleTable } from "./handles.js";
import { CAbort, type CInstance, TAG } from "./instance.js";
import type { PciDescription } from "./pci.js";
import { describeStack, type Stack } from "./places.js";
import type { Pool } from "./pool.js";

/** What a rule reports, as the environment takes it. */
export interface CFinding {
  readonly rule: string;
  readonly code: ErrorCode;
  readonly call: string;
  readonly message: string;
  readonly basis?: "documented" | "choice";
  readonly severity?: "violation" | "rule" | "warning";
  readonly bugCheck?: { readonly code: number; readonly parameters: readonly [number, number, number, number] };
  readonly value?: unknown;
  readonly unit?: string;
}

/** Where a finding is, in words. */
export interface CPlace {
  /** `hw.c:214 (HwFreeRxBlock <- NicHalt nic.c:88)` */
  readonly where: string;
  /** What else has a place: `allocated at hw.c:131 (HwGrow)`. */
  readonly also: readonly string[];
}

/** A block of shared memory. */
export interface SharedBlock {
  readonly virtual: number;
  readonly lengthBytes: number;
  readonly how: string;
  readonly stack: Stack;
  freed: Stack | null;
}

/** An adapter, as the loader keeps it: the MiniportAdapterContext of the face. */
export class CAdapter {
  readonly record: AdapterRecord;
  readonly services: AdapterServices;
  readonly handle: number;
  readonly number: number;
  /** Which of the places for devices it is in: registers, ports and physical addresses follow from it. */
  readonly slot: number;
  /** MiniportAdapterContext, as C gave it. */
  context = 0;
  /** Which handler runs now, for rules about places. */
  inside = "";
  /** Objects that must be gone when the adapter is halted. */
  readonly objects: Map<number, { readonly kind: string; readonly stack: Stack; readonly armed?: () => boolean }> =
    new Map();
  interrupt: {
    readonly handle: number;
    readonly context: number;
    readonly isr: number;
    readonly dpc: number;
    due: boolean;
  } | null = null;
  /** Base address of its registers in the driver's memory, and what is mapped of them. */
  readonly registerBase: number;
  readonly mapped: Set<number> = new Set();
  /** Packets that the driver has and did not complete, requests likewise: by address. */
  readonly sends: Map<number, Stack> = new Map();
  readonly requests: Map<number, { readonly oid: number; readonly size: number; readonly buffer: number }> = new Map();
  resetPending = false;
  /** What NdisMPauseComplete or NdisMRestartComplete is to end. */
  completion: { readonly what: string; readonly event: MachineEvent; done: boolean; status: number } | null = null;
  /** Lists that the upper layer keeps, and where they were indicated. */
  readonly held: Map<number, Stack> = new Map();
  statusIndications = 0;
  upper: { stop(): void } | null = null;
  /** Its device, where that is a model of the user's; and how many of the frames it stored were indicated or given up. */
  device: { readonly stored: number } | null = null;
  accounted = 0;
  halted = false;

  constructor(
    handle: NDIS_HANDLE,
    number: number,
    slot: number,
    give: (adapter: CAdapter) => number,
    registerBase: number,
  ) {
    this.slot = slot;
    this.record = AdapterHandleClass.recordOf(handle) as AdapterRecord;
    this.services = adapterServices(this.record.handle);
    this.number = number;
    this.registerBase = registerBase;
    this.handle = give(this);
  }
}

/** See the head of this file. */
export class Session {
  readonly c: CInstance;
  readonly environment: NdisEnvironment;
  readonly driverObject: DriverObjectHandle;
  readonly handles: HandleTable = new HandleTable();
  readonly adapters: CAdapter[] = [];
  readonly pci: PciDescription;
  readonly pool: Pool;
  /** Whose code runs; null in DriverEntry and unload. */
  current: CAdapter | null = null;
  /** A finding that ended the driver: none of its code runs any more. */
  dead = false;
  readonly shared: Map<number, SharedBlock> = new Map();
  readonly pendingStacks: Map<object, Stack> = new Map();
  readonly #places: WeakMap<Violation, CPlace> = new WeakMap();
  /** Handlers by name, as registered. */
  handlers: Readonly<Record<string, number>> = {};
  driverContext = 0;
  /** Offset between physical and virtual addresses of shared memory. */
  readonly window: number;
  readonly debug: (text: string) => void;
  /** Nanoseconds that the driver spent in stalls: time for it that the machine's clock does not know. */
  stalledNs = 0;

  constructor(
    c: CInstance,
    environment: NdisEnvironment,
    driverObject: DriverObjectHandle,
    pool: Pool,
    pci: PciDescription,
    window: number,
    debug: (text: string) => void,
  ) {
    this.c = c;
    this.environment = environment;
    this.driverObject = driverObject;
    this.pool = pool;
    this.pci = pci;
    this.window = window;
    this.debug = debug;
  }

  // ---- findings -----------------------------------------------------------------------------------------------------

  /** Record a finding at the place where the driver is. Returns only where the policy lets the call go on. */
  violate(adapter: CAdapter | null, finding: CFinding, stack?: Stack, also: readonly string[] = []): void {
    const before = this.mark();
    try {
      this.environment.reporter.violate(adapter?.record ?? null, finding);
    } finally {
      this.annotate(before, stack, also);
    }
  }

  /** Record a finding and leave the driver's code for good. */
  abort(adapter: CAdapter | null, finding: CFinding, stack?: Stack, also: readonly string[] = []): never {
    this.dead = true;
    this.violate(adapter, finding, stack, also);
    throw new CAbort(finding.code, finding.message, { value: finding.value });
  }

  /** How many findings there are: for `annotate`. */
  mark(): number {
    const { violations, warnings } = this.environment.reporter;
    return violations.length * 65_536 + warnings.length;
  }

  /** Remember where the findings since `mark` happened. */
  annotate(mark: number, stack: Stack = this.c.stack(), also: readonly string[] = []): void {
    const { violations, warnings } = this.environment.reporter;
    if (violations.length * 65_536 + warnings.length === mark) return;
    const where = describeStack(this.c.module.sites, stack);
    const from = Math.floor(mark / 65_536);
    for (const violation of [...violations.slice(from), ...warnings.slice(mark % 65_536)]) {
      this.#places.set(violation, { where, also: [...also, ...this.#about(violation)] });
    }
  }

  /** What is known of the blocks that a finding is about. */
  #about(violation: Violation): string[] {
    const left = this.#left(violation);
    if (left.length > 0) return left;
    const address = violation.explain?.address ?? (violation.unit === "address" ? Number(violation.value) : undefined);
    if (address === undefined) return [];
    const block = this.blockAt(address);
    if (block === undefined) return [];
    const { sites } = this.c.module;
    const said = [`allocated with ${block.lengthBytes} at ${describeStack(sites, block.stack)}`];
    if (block.freed !== null) said.push(`freed at ${describeStack(sites, block.freed)}`);
    return said;
  }

  /** The shared block that holds an address, live or freed last. */
  blockAt(address: number): SharedBlock | undefined {
    const at = this.shared.get(address);
    if (at !== undefined) return at;
    for (const block of this.shared.values()) {
      if (address >= block.virtual && address < block.virtual + block.lengthBytes) return block;
    }
    return undefined;
  }

  /** Where a finding is; what was found outside of the driver's code (a leak after halt) names who allocated. */
  placeOf(violation: Violation): CPlace {
    const known = this.#places.get(violation);
    if (known !== undefined && (known.where !== "" || known.also.length > 0)) return known;
    return { where: "", also: this.#left(violation) };
  }

  /** Of what is left at the end: where it was allocated, or asked for. */
  #left(violation: Violation): string[] {
    const { sites } = this.c.module;
    if (violation.code === "LEAK_AT_RELEASE") {
      const live = [...this.shared.values()].filter((block) => block.freed === null);
      return live
        .slice(0, 4)
        .map(
          (block) =>
            `${block.lengthBytes} bytes at ${hex(block.virtual)} allocated at ${describeStack(sites, block.stack)}`,
        );
    }
    if (violation.code === "PENDING_AT_RELEASE") {
      return [...this.pendingStacks.values()].slice(0, 4).map((stack) => `asked at ${describeStack(sites, stack)}`);
    }
    return [];
  }

  /** Locks, events, timers by address: see imports/kernel.ts. */
  kernel: unknown = null;

  /** Spin locks that are held: address and where each was taken. */
  readonly locksHeld: Map<number, Stack> = new Map();

  /** A handler is through, or waits: with a spin lock still held everything else would stand still. */
  assertNoLockHeld(adapter: CAdapter | null, call: string): void {
    if (this.locksHeld.size === 0 || this.dead) return;
    for (const [address, stack] of this.locksHeld) {
      this.dead = true;
      this.violate(
        adapter,
        {
          rule: "SpinLock",
          code: "WRONG_CONTEXT",
          call,
          message: "returned or waits with a spin lock held, which was taken here",
          value: address,
          unit: "address",
          basis: "documented",
        },
        stack,
      );
      return;
    }
  }

  /** The device of the adapter that is being initialized. */
  takeDevice: () => { readonly stored: number } | null = () => null;

  /** A driver that ended inside a lock leaves it to nobody: the machine goes on without it. */
  giveUpLocks: () => void = () => {};

  /** Where the timers of an adapter that are set were set; those in its memory, not the objects. */
  armedTimers: (adapter: CAdapter) => readonly Stack[] = () => [];

  /** A stack in words. */
  placeText(stack: Stack): string {
    return describeStack(this.c.module.sites, stack);
  }

  /** The object of a handle, or a finding and undefined. */
  find<T>(handle: number, kind: HandleKind, call: string): T | undefined {
    const found = this.handles.find(handle, kind);
    if (typeof found !== "string") return found.object as T;
    this.violate(this.current, {
      rule: "HandleIsValid",
      code: found === "NULL" ? "NULL_ADAPTER" : found.endsWith("released") ? "ADAPTER_GONE" : "WRONG_HANDLE",
      call,
      message: `a ${kind} handle is due, and this is ${found}`,
      value: handle >>> 0,
      unit: "handle",
    });
    return undefined;
  }

  /** The adapter of a handle, alive: after halt every use is a finding. */
  adapter(handle: number, call: string): CAdapter | undefined {
    const adapter = this.find<CAdapter>(handle, "adapter", call);
    if (adapter === undefined || !adapter.halted) return adapter;
    this.violate(adapter, {
      rule: "NothingAfterHalt",
      code: "ADAPTER_GONE",
      call,
      message: `${adapter.record.name} was halted`,
      basis: "documented",
    });
    return undefined;
  }

  // ---- calls into the driver ----------------------------------------------------------------------------------------------

  /** Is the table's entry a function of this type? A finding where it is not. */
  checkFunction(index: number, signature: string, role: string, call: string): boolean {
    const entry = this.c.module.table.get(index);
    if (entry !== undefined && entry.signature === signature) return true;
    const what =
      entry === undefined
        ? `${hex(index)} is no function`
        : `${entry.name} is ${typeInWords(entry.signature)}, and ${role} is ${typeInWords(signature)}`;
    this.violate(this.current, {
      rule: "FunctionHasItsType",
      code: "INVALID_ARGUMENT",
      call,
      message: `${role}: ${what}`,
      value: index,
      unit: "function",
    });
    return false;
  }

  /** Call the driver where it may not wait. `failure`: what is answered once the driver is dead. */
  run(
    adapter: CAdapter | null,
    call: string,
    fn: (...args: number[]) => number | undefined,
    args: readonly number[],
    failure = 0,
  ): number {
    if (this.dead) return failure;
    const before = this.current;
    const inside = adapter?.inside ?? "";
    this.current = adapter;
    if (adapter !== null) adapter.inside = call;
    try {
      const answer = this.c.call(fn, args);
      if (before === null) this.assertNoLockHeld(adapter, call);
      return answer;
    } catch (error) {
      throw this.#thrown(adapter, call, error);
    } finally {
      this.current = before;
      if (adapter !== null) adapter.inside = inside;
    }
  }

  /** Call the driver at PASSIVE_LEVEL, where it may wait: a promise where it does. */
  runPassive(
    adapter: CAdapter | null,
    call: string,
    fn: (...args: number[]) => number | undefined,
    args: readonly number[],
    failure = 0,
  ): number | Promise<number> {
    if (this.dead) return failure;
    const enter = (): { current: CAdapter | null; inside: string; running: Callbacks | undefined } => {
      const before = {
        current: this.current,
        inside: adapter?.inside ?? "",
        running: this.environment.callbacks.markRunning(),
      };
      this.current = adapter;
      if (adapter !== null) adapter.inside = call;
      return before;
    };
    const leave = (given: unknown): void => {
      const before = given as ReturnType<typeof enter>;
      this.environment.callbacks.restoreRunning(before.running);
      this.current = before.current;
      if (adapter !== null) adapter.inside = before.inside;
    };
    const before = enter();
    try {
      const answer = this.c.start(fn, args, { enter, leave });
      if (before.current === null) this.assertNoLockHeld(adapter, call);
      if (typeof answer === "number") return answer;
      return answer.catch((error: unknown) => {
        throw this.#thrown(adapter, call, error);
      });
    } catch (error) {
      throw this.#thrown(adapter, call, error);
    } finally {
      leave(before);
    }
  }

  /** Something came out of the driver's code that is no return: it is over, and a trap becomes a finding. */
  #thrown(adapter: CAdapter | null, call: string, error: unknown): unknown {
    const stack = this.c.faultStack ?? [];
    this.c.faultStack = null;
    this.giveUpLocks();
    if (error instanceof ShmemError) {
      this.dead = true;
      return error;
    }
    if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) return error;
    const finding: CFinding = {
      rule: "DriverDoesNotTrap",
      code: "TRAP",
      call,
      message: trapInWords(error.message),
      value: error.message,
    };
    try {
      this.abort(adapter, finding, stack);
    } catch (thrown) {
      return thrown;
    }
    return error;
  }

  // ---- addresses ---------------------------------------------------------------------------------------------------------------

  /** What an address that may not be touched is, in words, and what is known of the memory around it. */
  explainAddress(address: number, first: number): { readonly text: string; readonly also: readonly string[] } {
    const { c } = this;
    const { sites } = c.module;
    const handle = this.handles.describe(address);
    if (handle !== null) return { text: `which is ${handle}, not an address`, also: [] };
    if (address >= c.module.sites.memoryBytes) return { text: "where there is no memory", also: [] };
    const tag = c.tagAt(first);
    const shared = this.blockAround(first);
    switch (tag) {
      case TAG.nullPage:
        return { text: address < 0x10000 ? "a field behind a NULL pointer" : "below the stack", also: [] };
      case TAG.freedPool: {
        const block = this.pool.nearest(first);
        if (block === undefined) break;
        return {
          text: `inside pool memory of ${block.lengthBytes} bytes that was freed`,
          also: [
            `allocated at ${describeStack(sites, block.stack)}`,
            `freed at ${describeStack(sites, block.freed ?? [])}`,
          ],
        };
      }
      case TAG.redZone:
      case TAG.nothing: {
        const block = this.pool.nearest(first);
        if (block === undefined) return { text: "where there is no memory", also: [] };
        return {
          text: `${first - (block.address + block.lengthBytes)} bytes behind pool memory of ${block.lengthBytes} bytes`,
          also: [`allocated at ${describeStack(sites, block.stack)}`],
        };
      }
      case TAG.freedShared:
      case TAG.notAllocated:
        if (shared === undefined) return { text: "shared memory that nobody has allocated", also: [] };
        return {
          text:
            shared.freed !== null && first < shared.virtual + shared.lengthBytes
              ? `inside a shared block of ${shared.lengthBytes} bytes that was freed`
              : `${first - (shared.virtual + shared.lengthBytes)} bytes behind a shared block of ${shared.lengthBytes} bytes`,
          also: [
            `allocated at ${describeStack(sites, shared.stack)}`,
            ...(shared.freed === null ? [] : [`freed at ${describeStack(sites, shared.freed)}`]),
          ],
        };
      case TAG.device:
        return {
          text: "which is the device's until it says that it is done",
          also: shared === undefined ? [] : [`allocated at ${describeStack(sites, shared.stack)}`],
        };
      case TAG.global:
        return { text: "behind a global variable", also: [] };
      case TAG.threadStack:
        return { text: "the stack of a call that is over", also: [] };
      default:
        if (tag < 8 && tag > 0) {
          const block = this.pool.nearest(first);
          if (shared !== undefined)
            return {
              text: `${first - (shared.virtual + shared.lengthBytes)} bytes behind a shared block of ${shared.lengthBytes} bytes`,
              also: [`allocated at ${describeStack(sites, shared.stack)}`],
            };
          if (block !== undefined && first < block.address + block.lengthBytes + 64)
            return {
              text: `${first - (block.address + block.lengthBytes)} bytes behind pool memory of ${block.lengthBytes} bytes`,
              also: [`allocated at ${describeStack(sites, block.stack)}`],
            };
          return { text: "behind a variable", also: [] };
        }
    }
    return { text: "which may not be touched", also: [] };
  }

  /** The shared block nearest before an address, within a page. */
  blockAround(address: number): SharedBlock | undefined {
    let best: SharedBlock | undefined;
    for (const block of this.shared.values()) {
      if (block.virtual > address || address - (block.virtual + block.lengthBytes) > 4096) continue;
      if (best === undefined || block.virtual > best.virtual) best = block;
    }
    return best;
  }
}

/** `iii>i` as C would say it. */
function typeInWords(signature: string): string {
  const [parameters = "", result = "v"] = signature.split(">");
  const count = parameters.length === 1 ? "1 parameter" : `${parameters.length} parameters`;
  return `a function of ${count} that returns ${result === "v" ? "nothing" : "a value"}`;
}

function trapInWords(message: string): string {
  if (/null function|signature mismatch/.test(message))
    return "a call through a pointer that is NULL, or that is no function of the type it is called as";
  if (/table index|out of bounds.*table/i.test(message)) return "a call through a pointer that is no function";
  if (/divide/.test(message)) return "a division by zero";
  if (/unreachable/.test(message))
    return "the code ran into what the compiler holds impossible (undefined behaviour), or a trap";
  if (/stack/i.test(message)) return "calls are nested too deep";
  return `the processor trapped: ${message}`;
}
