/**
 * Foreign ranges: memory that somebody else owns, seen at a virtual address of its own. What `map` and `unmap` refuse.
 */
import { ADDRESS_LIMIT, address as addressOf, hex, integer, readOptions, ShmemError } from "../../bindings/index.js";
import { refuse } from "./blocks.js";
import { explain } from "./explain.js";
import { joined, type Mapping, meet, type Run } from "./mappings.js";
import type { JudgeState } from "./state.js";

/** The mapping that `map` would add, checked against everything it must not meet. Changes nothing. */
export function foreignMapping(state: JudgeState, virtual: number, runs: unknown): Mapping {
  if (virtual === 0) bad("virtual", 0, "is null");
  const list = checkedRuns(runs);
  const { zones } = state.plan;
  const bytes = list.reduce((sum, run) => sum + run.lengthBytes, 0);
  if (virtual + bytes > ADDRESS_LIMIT) bad("virtual", virtual, "and the runs' bytes end past 2^52");
  const window = zones.findIndex((zone) => meet(virtual, bytes, zone.window, zone.size));
  if (window >= 0) bad("virtual", virtual, `meets the window of zones[${window}]`);
  const other = state.mappings.meeting(virtual, bytes);
  if (other !== undefined) bad("virtual", virtual, `meets the mapping at ${hex(other.virtual)}`);
  for (const [i, { physical, lengthBytes }] of list.entries()) {
    const field = `runs[${i}].physical`;
    const zone = zones.findIndex((one) => meet(physical, lengthBytes, one.base, one.size));
    if (zone >= 0) bad(field, physical, `meets zones[${zone}]`);
    const mapping = state.mappings.meetingPhysical(physical, lengthBytes);
    if (mapping !== undefined) bad(field, physical, `meets a run of the mapping at ${hex(mapping.virtual)}`);
    const twin = list.slice(0, i).findIndex((one) => meet(physical, lengthBytes, one.physical, one.lengthBytes));
    if (twin >= 0) bad(field, physical, `meets runs[${twin}]`);
  }
  return { virtual, bytes, runs: joined(list), block: undefined };
}

/** The foreign mapping that starts at an address, or why none does. */
export function foreignAt(state: JudgeState, virtual: number): Mapping {
  const mapping = state.mappings.at(virtual);
  if (mapping === undefined) return refuse(state, "FOREIGN_ADDRESS", virtual, "is in no mapping made by map");
  if (mapping.block !== undefined)
    throw new ShmemError("INVALID_ARGUMENT", `${hex(virtual)} lies in a block, which free ends`, {
      field: "virtual",
      value: virtual,
      unit: "address",
      explain: explain(state, virtual),
    });
  if (mapping.virtual !== virtual)
    return refuse(state, "INTERIOR_ADDRESS", virtual, `lies inside the mapping at ${hex(mapping.virtual)}`);
  return mapping;
}

function checkedRuns(runs: unknown): Run[] {
  if (!Array.isArray(runs) || runs.length === 0)
    throw new ShmemError("INVALID_ARGUMENT", "runs must be an array of at least one run", {
      field: "runs",
      value: runs,
      unit: "runs",
    });
  return runs.map((run: unknown, i) => {
    const { physical, lengthBytes } = readOptions(`runs[${i}]`, run, ["physical", "lengthBytes"]);
    const start = addressOf(physical, `runs[${i}].physical`);
    return {
      physical: start,
      lengthBytes: integer(`runs[${i}].lengthBytes`, lengthBytes, 1, ADDRESS_LIMIT - start, "bytes"),
    };
  });
}

function bad(field: string, value: number, why: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} ${hex(value)} ${why}`, { field, value, unit: "address" });
}
