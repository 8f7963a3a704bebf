/**
 * Translation: virtual to physical, back, over ranges, and to bytes of the arena.
 *
 * A window is congruent to its zone, so inside one the answer is arithmetic, and the core is only asked whether a live
 * block holds the frame and where that block ends: whole frames are mapped, the bytes behind the requested length
 * included, so that a device can overrun a block and be found. Outside the windows the mapping tables answer.
 */
import type { PhysicalAddress, VirtualAddress } from "../addresses.js";
import { Layout as L } from "../generated/layout.js";
import type { PhysicalRun } from "./api.js";
import { fault, refuse } from "./explain.js";
import type { CoreState } from "./state.js";

/** What `holder` answers for a frame of a contiguous block, and for one of a scattered block. */
const BLOCK = 1;
const NOBODY = 0;

/** The physical address of a byte and for how many bytes the answer holds. */
export function translate(state: CoreState, address: number): PhysicalRun {
  const place = state.placeOf(address);
  if (place !== undefined) {
    // A piece of a scattered block is mapped at the block's own range and not in the window.
    if (state.wasm.holder(place.frame) !== BLOCK) return fault(state, address, "virtual");
    return {
      physical: (place.zone.base + place.offset) as PhysicalAddress,
      lengthBytes: state.foundEnd(place.zone) - place.offset,
    };
  }
  const record = state.wasm.mappingAt(address) >>> 0;
  if (record === 0) return fault(state, address, "virtual");
  const ahead = address - state.views.float(record + L.M_VIRTUAL);
  return {
    physical: (state.views.float(record + L.M_PHYSICAL) + ahead) as PhysicalAddress,
    lengthBytes: state.views.float(record + L.M_BYTES) - ahead,
  };
}

/** The inverse of `translate`. */
export function translatePhysical(
  state: CoreState,
  physical: number,
): { readonly virtual: VirtualAddress; readonly lengthBytes: number } {
  const place = state.placeOfPhysical(physical);
  if (place !== undefined) {
    const holder = state.wasm.holder(place.frame);
    if (holder === NOBODY) return fault(state, physical, "physical");
    if (holder === BLOCK)
      return {
        virtual: (place.zone.window + place.offset) as VirtualAddress,
        lengthBytes: state.foundEnd(place.zone) - place.offset,
      };
  }
  const entry = state.wasm.mappingAtPhysical(physical) >>> 0;
  if (entry === 0) return fault(state, physical, "physical");
  const ahead = physical - state.views.float(entry + L.I_PHYSICAL);
  return {
    virtual: (state.views.float(entry + L.I_VIRTUAL) + ahead) as VirtualAddress,
    lengthBytes: state.views.float(entry + L.I_BYTES) - ahead,
  };
}

/** The runs of a virtual range, physically adjacent ones joined. */
export function runsOf(state: CoreState, address: number, lengthBytes: number): PhysicalRun[] {
  const runs: { physical: PhysicalAddress; lengthBytes: number }[] = [];
  let at = address;
  let left = lengthBytes;
  while (left > 0) {
    const step = translate(state, at);
    const bytes = Math.min(step.lengthBytes, left);
    const last = runs.at(-1);
    if (last !== undefined && last.physical + last.lengthBytes === step.physical) last.lengthBytes += bytes;
    else runs.push({ physical: step.physical, lengthBytes: bytes });
    at += bytes;
    left -= bytes;
  }
  return runs;
}

/** Where a range that stays inside the requested length of one block lies in the arena, in bytes. */
export function offsetOfRange(state: CoreState, address: number, lengthBytes: number): number {
  const { views, wasm } = state;
  const place = state.placeOf(address);
  if (place !== undefined && wasm.holder(place.frame) === BLOCK) {
    const { zone, offset } = place;
    const start = (views.word(L.H_FOUND_HEAD) - zone.first) * state.frameSize;
    if (offset + lengthBytes <= start + views.word(L.H_FOUND_LENGTH)) return zone.arenaOffset + offset;
    refuse(state, "TRANSLATION_FAULT", address, `${lengthBytes} bytes leave their block`);
  }
  const record = place === undefined ? wasm.mappingAt(address) >>> 0 : 0;
  if (record === 0 || views.word(record + L.M_KIND) !== L.KIND_SCATTERED) return fault(state, address, "virtual");
  const end = views.float(record + L.M_OWNER) + views.float(record + L.M_OWNER_BYTES);
  const runs = address + lengthBytes <= end ? runsOf(state, address, lengthBytes) : [];
  const only = runs[0];
  if (runs.length !== 1 || only === undefined)
    return refuse(state, "TRANSLATION_FAULT", address, `${lengthBytes} bytes are not one run of one block`);
  return arenaOffsetOf(state, only.physical);
}

/** Where a physical byte lies in the arena. */
export function arenaOffsetOf(state: CoreState, physical: number): number {
  const place = state.placeOfPhysical(physical);
  if (place === undefined) return fault(state, physical, "physical");
  return place.zone.arenaOffset + place.offset;
}
