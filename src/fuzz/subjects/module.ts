/** The driver that a module exports: as ESM, as CommonJS seen through ESM, or as CommonJS itself. */
import { ShmemError } from "../../../bindings/index.js";
import type { ScenarioCheck } from "./check.js";
import type { FuzzDriver } from "./subject.js";

/** What `driverOf` finds in a module. */
export interface DriverModule {
  readonly driver: FuzzDriver;
  /** The module's own rule; undefined where it exports none. */
  readonly check: ScenarioCheck | undefined;
}

/**
 * The driver of a module: what its export `createDriver()` makes, its export `driver`, or its default export; and its export
 * `check`. In a CommonJS module the exports may stand in `module.exports`, or `module.exports` may be the driver.
 *
 * `createDriver` is called before each scenario, so that nothing survives from one to the next. `INVALID_ARGUMENT` where
 * the module exports no driver; what `createDriver` throws is thrown on.
 */
export function driverOf(module: object): DriverModule {
  const exported = exportsOf(module);
  const { check } = exported;
  const known = { check: typeof check === "function" ? (check as ScenarioCheck) : undefined };
  if (typeof exported.createDriver === "function") {
    const create = exported.createDriver as () => FuzzDriver;
    const driver = create();
    if (!isDriver(driver)) refuse("createDriver() returned no driver", driver);
    return { ...known, driver: { ...driver, fresh: create } };
  }
  const driver = exported.driver ?? exported.default;
  if (!isDriver(driver)) refuse("the module exports no driver", driver, Object.keys(exported));
  return { ...known, driver };
}

/** The exports by name: those of the module, and those that an ESM view of CommonJS has in its default export. */
function exportsOf(module: object): Readonly<Record<string, unknown>> {
  const own = { ...(module as Record<string, unknown>) };
  if (isDriver(module)) return { driver: module, ...("check" in own ? { check: own.check } : {}) };
  const { default: inner } = own;
  // `module.exports = { driver }` comes as the default export; so does the driver itself, which is left there.
  if (typeof inner === "object" && inner !== null && !isDriver(inner)) return { ...inner, ...without(own, "default") };
  return own;
}

function without(record: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  const { [key]: _, ...rest } = record;
  return rest;
}

function isDriver(value: unknown): value is FuzzDriver {
  if (typeof value !== "object" || value === null) return false;
  const { name, DriverEntry } = value as { readonly name?: unknown; readonly DriverEntry?: unknown };
  return typeof name === "string" && name !== "" && typeof DriverEntry === "function";
}

function refuse(what: string, value: unknown, exported: readonly string[] = []): never {
  const shape = "a driver is { name, DriverEntry }, exported as `driver`, by default, or made by `createDriver()`";
  const has = exported.length === 0 ? "" : `; it exports ${exported.slice(0, 8).join(", ")}`;
  throw new ShmemError("INVALID_ARGUMENT", `${what}: ${shape}${has}`, { field: "driver", value });
}
