/**
 * The drivers of this package as subjects: with settings under which much happens in few events.
 *
 * A driver that starts with twenty receive frames needs twenty frames of traffic before it asks for memory; with four it
 * asks at once. The settings are ordinary ones, chosen by the scenario's variant.
 */
import { Gve } from "../../devices/index.js";
import { DRIVERS, type DriverModel } from "../../drivers/index.js";
import type { FuzzDriver } from "./subject.js";

type Settings = (variant: number) => Readonly<Record<string, unknown>>;

const SETTINGS: Readonly<Record<string, Settings>> = {
  e100bex: (variant) => ({
    receiveFrames: [4, 4, 6, 20][(variant >>> 2) % 4] as number,
    lowWater: [3, 4, 3, 16][(variant >>> 2) % 4] as number,
    lendBelow: variant >= 192 ? 2 : 0,
    checkIntervalNs: 1_000_000,
    silentRounds: 1,
  }),
  rtlnwifi: (variant) => ({ receiveBuffers: 16, lowWater: [15, 16, 24, 48][(variant >>> 2) % 4] as number }),
  netkvm: (variant) => ({
    receiveBuffers: 16,
    transmitDescriptors: 2,
    queues: 1 + ((variant >>> 2) % 2),
    mergeable: variant >= 192 ? 0 : 1,
  }),
};

/** Devices that make the driver ask for less: gvnic's rings are as long as its device says. */
const DEVICES: Readonly<Record<string, DriverModel["device"]>> = {
  gvnic: (wire) => new Gve({ ...wire, ringEntries: 16 }),
};

/** Bytes of memory, where 256 KiB are too few for the driver to get all it asks for. */
const ARENAS: Readonly<Record<string, number>> = { netkvm: 640 * 1024, rtlnwifi: 768 * 1024, gvnic: 384 * 1024 };

/** A driver of this package, to fuzz. */
export function subjectOf(model: DriverModel): FuzzDriver {
  const settings = SETTINGS[model.name];
  return {
    name: model.name,
    DriverEntry: model.DriverEntry,
    device: DEVICES[model.name] ?? model.device,
    addressing: model.addressing,
    arenaBytes: Math.min(model.arenaBytes, ARENAS[model.name] ?? 256 * 1024),
    ...(settings === undefined ? {} : { settings }),
  };
}

/** Every driver of this package. */
export const BUILT_IN_DRIVERS: readonly FuzzDriver[] = DRIVERS.map(subjectOf);
