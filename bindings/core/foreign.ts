/**
 * Foreign ranges: memory that somebody else owns, made visible under a virtual range.
 *
 * A range may meet nothing that is there already: no window, no zone, no other mapping and not itself, in either space.
 * So every mapped byte has one virtual and one physical address, and translation has an exact inverse. All of it is
 * checked before the first run is registered.
 */
import { ADDRESS_LIMIT, hex } from "../addresses.js";
import { Layout as L } from "../generated/layout.js";
import { refuse, refuseArgument } from "./explain.js";
import { address as checkAddress, integer, readOptions } from "./options.js";
import type { CoreState } from "./state.js";

interface Run {
  readonly physical: number;
  readonly bytes: number;
}

/** Register the runs, one after the other, at `virtual`. */
export function mapForeign(state: CoreState, virtual: number, runs: unknown): void {
  checkAddress(virtual, "virtual");
  if (virtual === 0) refuseArgument("virtual", 0, "address", "0 is null");
  const list = readRuns(runs);
  const total = list.reduce((sum, run) => sum + run.bytes, 0);
  if (virtual + total > ADDRESS_LIMIT) refuseArgument("runs", total, "bytes", "the range ends past 2^52");
  checkVirtual(state, virtual, total);
  for (const [i, run] of list.entries()) checkPhysical(state, `runs[${i}].physical`, run);
  checkDisjoint(list);
  if (state.wasm.reserve(list.length) === 0)
    refuseArgument("runs", list.length, "runs", "no room for more mappings (at most 2^20 runs)");
  state.views.refresh();
  let at = virtual;
  for (const { physical, bytes } of list) {
    state.wasm.insert(at, physical, bytes, virtual, total, L.KIND_FOREIGN, 0);
    at += bytes;
  }
}

function readRuns(runs: unknown): readonly Run[] {
  if (!Array.isArray(runs) || runs.length === 0) refuseArgument("runs", runs, "runs", "must be a non-empty array");
  return (runs as unknown[]).map((run, i) => {
    const given = readOptions(`runs[${i}]`, run, ["physical", "lengthBytes"] as const);
    const physical = checkAddress(given.physical, `runs[${i}].physical`);
    const bytes = integer(`runs[${i}].lengthBytes`, given.lengthBytes, 1, ADDRESS_LIMIT - physical, "bytes");
    return { physical, bytes };
  });
}

function meets(from: number, bytes: number, start: number, size: number): boolean {
  return from < start + size && start < from + bytes;
}

function checkVirtual(state: CoreState, virtual: number, total: number): void {
  for (const [i, zone] of state.zones.entries()) {
    if (meets(virtual, total, zone.window, zone.size))
      refuseArgument("virtual", virtual, "address", `the range meets the window of zones[${i}] at ${hex(zone.window)}`);
  }
  const record = state.wasm.meeting(virtual, total) >>> 0;
  if (record === 0) return;
  const group = state.views.float(record + L.M_OWNER);
  refuseArgument("virtual", virtual, "address", `the range meets the mapping at ${hex(group)}`);
}

function checkPhysical(state: CoreState, field: string, { physical, bytes }: Run): void {
  for (const [i, zone] of state.zones.entries()) {
    if (meets(physical, bytes, zone.base, zone.size))
      refuseArgument(field, physical, "address", `the run meets zones[${i}] at ${hex(zone.base)}`);
  }
  const entry = state.wasm.meetingPhysical(physical, bytes) >>> 0;
  if (entry === 0) return;
  const other = state.views.float(entry + L.I_PHYSICAL);
  refuseArgument(field, physical, "address", `the run meets the mapped run at ${hex(other)}`);
}

function checkDisjoint(runs: readonly Run[]): void {
  const sorted = runs.map((run, index) => ({ ...run, index })).sort((a, b) => a.physical - b.physical);
  sorted.reduce((before, run) => {
    if (before.physical + before.bytes > run.physical)
      refuseArgument(`runs[${run.index}].physical`, run.physical, "address", `the run meets runs[${before.index}]`);
    return run;
  });
}

/** Remove the range that starts at exactly `virtual`. */
export function unmapForeign(state: CoreState, virtual: number): void {
  checkAddress(virtual, "virtual");
  const record = state.wasm.mappingAt(virtual) >>> 0;
  if (record === 0) refuse(state, "FOREIGN_ADDRESS", virtual, `${hex(virtual)} lies in no range made by map`);
  if (state.views.word(record + L.M_KIND) === L.KIND_SCATTERED)
    refuseArgument("virtual", virtual, "address", `${hex(virtual)} lies in a block: free it`);
  const group = state.views.float(record + L.M_OWNER);
  if (group !== virtual)
    refuse(state, "INTERIOR_ADDRESS", virtual, `${hex(virtual)} is not the start of its range, ${hex(group)} is`);
  state.wasm.unmapOwner(virtual);
}
