/**
 * Opening: how long a core takes to open, with the module already compiled, and how much memory it touches.
 *
 * Memory is what the process has more resident after opening and holding several cores than before, for each of them:
 * what an untouched table reserves is no cost, and so is not counted.
 */
import { Core } from "../../bindings/core/index.js";
import { type Probe, probe } from "../timing/index.js";
import { MIB } from "../workloads/index.js";

/** Sizes of arena, address-only, in frames of 4096 bytes. */
export const OPENINGS: Readonly<Record<string, number>> = {
  "64 MiB": 64 * MIB,
  "1 GiB": 1024 * MIB,
  "64 GiB": 65536 * MIB,
};

const HELD = 8;

/** The task `open`. */
export function measureOpening({ size, rounds }: { readonly size: string; readonly rounds: number }): Probe {
  const bytes = OPENINGS[size];
  if (bytes === undefined) throw new Error(`there is no opening ${size}`);
  const open = (): Core => Core.openSync({ zones: [{ base: 2 ** 36, size: bytes }], arena: null });
  open().dispose();
  const before = process.memoryUsage.rss();
  const held = Array.from({ length: HELD }, open);
  const residentBytes = Math.max(0, process.memoryUsage.rss() - before) / HELD;
  for (const core of held) core.dispose();
  const measured = probe("open", size, 1, rounds, () => {
    const core = open();
    const address = core.allocate(1);
    core.dispose();
    return address;
  });
  return { ...measured, residentBytes };
}
