/** Whether a driver was linked with this copy of the library: handles of one copy are no handles to another. */
import { Machine } from "../../machine/index.js";
import type { FuzzDriver } from "./subject.js";

/**
 * Whether the driver's DriverEntry, run on a machine of this copy, registers a miniport driver with this copy. False as well
 * where DriverEntry throws or registers nothing: then no copy is the right one.
 */
export async function acceptsHandles(driver: FuzzDriver): Promise<boolean> {
  const machine = Machine.openSync({
    zones: [{ base: 2 ** 24, size: 2 ** 16 }],
    choices: { policy: "collect" },
    lifecycle: "byHand",
    schedule: { order: "manual" },
  });
  try {
    await machine.load(driver.fresh?.() ?? driver);
  } catch {
    // What DriverEntry throws is told when a scenario is played.
  }
  const isRegistered = machine.environment.drivers.length > 0;
  machine.dispose();
  return isRegistered;
}
