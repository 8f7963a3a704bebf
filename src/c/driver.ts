/**
 * A compiled driver as the machine, `run` and `fuzz` take one.
 *
 *     const driver = loadC(bytes, { name: "nic", device: (wire) => new Nic(wire), pci: { bars: [{ bytes: 4096 }] } });
 *     const { zones, arena } = driver.memory(1 << 20, 2 ** 33);
 *     const machine = await Machine.open({ zones, arena });
 *     const adapter = await machine.add(await machine.load(driver), { device: driver.device(wire) });
 *
 * One driver has one memory, so it serves one machine after another and never two at once.
 */
import {
  type Arena,
  type DriverObjectHandle,
  DriverObjectHandleClass,
  type DriverObjectRecord,
  describeViolation,
  environmentOf,
  type NDIS_STATUS,
  ShmemError,
  type Violation,
  type ZoneOptions,
} from "../../bindings/index.js";
import { type CDevice, WideDevice } from "./device.js";
import { deviceImports } from "./imports/device.js";
import { type ImportHost, type Imports, putWide } from "./imports/host.js";
import { kernelImports } from "./imports/kernel.js";
import { memoryImports } from "./imports/memory.js";
import { netImports } from "./imports/net.js";
import { CInstance } from "./instance.js";
import { readModule, type Sites } from "./module.js";
import { type PciBar, type PciDescription, pciOf } from "./pci.js";
import { OURS, Pool } from "./pool.js";
import { Session } from "./session.js";
import { UPPER_LAYER_SETTING } from "./upper.js";

/** What a device is told of its surroundings; as `FuzzWire`. */
export interface CWire {
  readonly onDrop: (reason: string) => void;
  readonly interruptLatencyNs: () => number;
}

/** Options of `loadC`. */
export interface CDriverOptions {
  /** For messages. Default "driver". */
  readonly name?: string;
  /** A fresh model of the device. */
  readonly device?: (wire: CWire) => CDevice;
  readonly pci?: Partial<Omit<PciDescription, "bars">> & { readonly bars?: readonly PciBar[] };
  /** What the driver reads by NdisReadConfiguration; `variant` is a byte of the scenario. */
  readonly settings?: (variant: number) => Readonly<Record<string, unknown>>;
  /** Bytes of shared memory that the driver is comfortable with. Default 256 KiB. */
  readonly arenaBytes?: number;
  /** 32: all of it below 4 GiB. 64 (default): above it. */
  readonly addressing?: 32 | 64;
  /** Bytes of pool. Default 4 MiB. */
  readonly poolBytes?: number;
  /** Given each text of DbgPrint. Default: nothing happens. */
  readonly debug?: (text: string) => void;
  /** Given the name of each import that the driver comes by: a trace of its calls. Costs much; default: nothing. */
  readonly onImport?: (name: string) => void;
}

/** Names of the exports of a device's module that are options of `loadC`. */
const DEVICE_EXPORTS = ["device", "pci", "settings", "arenaBytes", "addressing", "poolBytes"] as const;

/**
 * The options that the module of a device exports, under their own names.
 *
 * @throws `INVALID_ARGUMENT` where it exports no function `device`.
 */
export function deviceOptions(module: object): CDriverOptions {
  const exported = module as Readonly<Record<string, unknown>>;
  if (typeof exported.device !== "function") {
    throw new ShmemError("INVALID_ARGUMENT", "the module of the device exports no function `device`", {
      field: "device",
      value: exported.device,
    });
  }
  const given = DEVICE_EXPORTS.filter((name) => exported[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, exported[name]])) as CDriverOptions;
}

/** Where a driver's shared memory lies: options of the machine. */
export interface CMemory {
  readonly zones: readonly ZoneOptions[];
  readonly arena: Arena;
}

/** See the head of this file. */
export class CDriver {
  readonly name: string;
  readonly arenaBytes: number;
  readonly addressing: 32 | 64;
  readonly #c: CInstance;
  readonly #host: ImportHost;
  readonly #options: CDriverOptions;
  readonly #pci: PciDescription;
  #window = 0;
  #session: Session | null = null;
  #placed = false;
  readonly device?: (wire: CWire) => WideDevice;

  constructor(bytes: Uint8Array, options: CDriverOptions = {}) {
    this.name = options.name ?? "driver";
    this.arenaBytes = options.arenaBytes ?? 256 * 1024;
    this.addressing = options.addressing ?? 64;
    this.#options = options;
    this.#pci = pciOf(options.pci);
    this.#host = { session: null as unknown as Session, attached: null };
    this.#c = new CInstance(
      readModule(bytes),
      traced(importsOf(this.#host), options.onImport),
      options.poolBytes ?? 4 * 1024 * 1024,
      this.arenaBytes,
    );
    const { device } = options;
    if (device !== undefined)
      this.device = (wire) =>
        new WideDevice(
          (lost) =>
            device({
              interruptLatencyNs: wire.interruptLatencyNs,
              onDrop: (reason) => {
                lost();
                wire.onDrop(reason);
              },
            }),
          this.#c,
          () => this.#window,
          (attached) => {
            this.#host.attached = attached;
          },
        );
  }

  /** What `cc` wrote beside the code: files, functions, edges, whether addresses are checked. */
  get sites(): Sites {
    return this.#c.module.sites;
  }

  /** Edges that the run crossed so far, a counter of 0 to 255 each. */
  get edges(): Uint8Array {
    return this.#c.edges;
  }

  /**
   * Zones and arena for a machine with `lengthBytes` of shared memory whose first physical byte is `physicalBase`. Virtual
   * addresses are addresses of the module's memory, below 4 GiB, and never also physical ones.
   */
  memory(lengthBytes: number, physicalBase: number): CMemory {
    const start = this.#c.place(lengthBytes, physicalBase);
    this.#window = physicalBase - start;
    this.#placed = true;
    return {
      zones: [{ base: physicalBase, size: lengthBytes, arenaOffset: start, virtualBase: start }],
      arena: this.#c.u8,
    };
  }

  /** The driver's settings for a variant, with what the upper layer does drawn from it. */
  settings(variant: number): Readonly<Record<string, unknown>> {
    return { [UPPER_LAYER_SETTING]: variant, ...this.#options.settings?.(variant) };
  }

  /** Begin a run: the memory as after loading. */
  readonly DriverEntry = (object: DriverObjectHandle, path: string): NDIS_STATUS => {
    if (!this.#placed) {
      throw new ShmemError(
        "INVALID_ARGUMENT",
        "a C driver's machine is opened with its own memory: see CDriver.memory",
        { field: "arena", value: null },
      );
    }
    const environment = environmentOf((DriverObjectHandleClass.recordOf(object) as DriverObjectRecord).machine);
    const zone = environment.zones[0];
    if (
      zone === undefined ||
      environment.zones.length !== 1 ||
      zone.window !== zone.arenaOffset ||
      zone.window < this.#c.arenaStart ||
      zone.window + zone.size > this.#c.arenaEnd
    ) {
      throw new ShmemError(
        "INVALID_ARGUMENT",
        "a C driver's machine is opened with its own memory: see CDriver.memory",
        { field: "zones", value: zone?.window },
      );
    }
    const c = this.#c;
    c.rewind();
    this.#window = zone.base - zone.window;
    const session = new Session(
      c,
      environment,
      object,
      new Pool(c),
      this.#pci,
      this.#window,
      this.#options.debug ?? (() => {}),
    );
    this.#session = session;
    this.#host.session = session;
    this.#host.attached = null;
    session.takeDevice = () => {
      const { attached } = this.#host;
      this.#host.attached = null;
      return attached;
    };
    const text = session.pool.allocate(2 * path.length + 2, 0, OURS, -1, []);
    putWide(session, text, `${path}\0`);
    return (session.run(null, "DriverEntry", c.exported("nshm_driver_entry"), [text, 2 * path.length]) |
      0) as NDIS_STATUS;
  };

  /** A finding in words, with its place in the C source first. */
  readonly explain = (violation: Violation): string => {
    const place = this.#session?.placeOf(violation);
    const text = describeViolation(violation);
    if (place === undefined || (place.where === "" && place.also.length === 0)) return text;
    const also = place.also.map((one) => `\n  ${one}`).join("");
    if (place.where === "") return `${text}${also}`;
    const [first = "", ...more] = text.split("\n");
    return `${violation.call} at ${place.where}: ${violation.message}${also}\n  ${first.slice(0, first.indexOf(": "))}${more.length === 0 ? "" : `\n${more.join("\n")}`}`;
  };
}

function importsOf(host: ImportHost): Imports {
  return { ...kernelImports(host), ...memoryImports(host), ...deviceImports(host), ...netImports(host) };
}

/** The same, each telling its name first. */
function traced(imports: Imports, onImport: ((name: string) => void) | undefined): Imports {
  if (onImport === undefined) return imports;
  return Object.fromEntries(
    Object.entries(imports).map(([name, run]) => [
      name,
      (...args: number[]) => {
        onImport(name);
        return run(...args);
      },
    ]),
  );
}

/** Names of everything that the C half may import: for tests and tables. */
export function importNames(): readonly string[] {
  return Object.keys(importsOf({ session: null as unknown as Session, attached: null })).sort();
}

/** Load what `ndis-shmem cc` made. `INVALID_ARGUMENT` for anything else. */
export function loadC(bytes: Uint8Array, options: CDriverOptions = {}): CDriver {
  return new CDriver(bytes, options);
}
