/** The driver that a module exports. */
import { ShmemError } from "../../../bindings/index.js";
import type { ScenarioCheck } from "./check.js";
import type { FuzzDriver } from "./subject.js";

/** The driver (and check) of a module: its export `driver`, or its default export, and its export `check`. */
export function driverOf(module: object): { readonly driver: FuzzDriver; readonly check: ScenarioCheck | undefined } {
  const exported = module as { readonly driver?: unknown; readonly default?: unknown; readonly check?: unknown };
  const driver = exported.driver ?? exported.default;
  if (!isDriver(driver)) {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      "the module exports no driver: { name, DriverEntry } as `driver` or by default",
      {
        field: "driver",
        value: driver,
      },
    );
  }
  const { check } = exported;
  return { driver, check: typeof check === "function" ? (check as ScenarioCheck) : undefined };
}

function isDriver(value: unknown): value is FuzzDriver {
  if (typeof value !== "object" || value === null) return false;
  const { name, DriverEntry } = value as { readonly name?: unknown; readonly DriverEntry?: unknown };
  return typeof name === "string" && typeof DriverEntry === "function";
}
