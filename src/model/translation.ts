/**
 * Virtual to physical and back, by looking at who holds the frame, then at every mapping.
 */
import { hex, type PhysicalAddress, type PhysicalRun, ShmemError, type VirtualAddress } from "../../bindings/index.js";
import type { JudgeBlock } from "./block.js";
import { joined, offsetOf, physicalAt, type Run } from "./mappings.js";
import { framesOf } from "./placement.js";
import type { JudgeState } from "./state.js";

/** Throw for an address that nothing is mapped at. */
export function fault(address: number, unit: string): never {
  throw new ShmemError("TRANSLATION_FAULT", `nothing is mapped at ${unit} ${hex(address)}`, { value: address, unit });
}

/** Bytes of a block in whole frames: what translates. */
function bytesOf(state: JudgeState, block: JudgeBlock): number {
  return framesOf(block.lengthBytes, state.plan.frameSize) * state.plan.frameSize;
}

/** See `CoreApi.translate`. */
export function translate(state: JudgeState, address: number): PhysicalRun {
  const block = state.windowBlock(address);
  const [piece] = block?.pieces ?? [];
  if (block !== undefined && piece !== undefined) {
    const physical = address - piece.zone.window + piece.zone.base;
    const lengthBytes = bytesOf(state, block) - (address - block.virtual);
    return { physical: physical as PhysicalAddress, lengthBytes };
  }
  const mapping = state.mappings.at(address);
  if (mapping === undefined) return fault(address, "address");
  return physicalAt(mapping.runs, address - mapping.virtual) as PhysicalRun;
}

/** See `CoreApi.translatePhysical`. */
export function translatePhysical(
  state: JudgeState,
  physical: number,
): { readonly virtual: VirtualAddress; readonly lengthBytes: number } {
  const place = state.inZone(physical);
  const block = place && state.holderOf(place.zone, place.frame);
  if (place !== undefined && block?.contiguous === true) {
    const virtual = physical - place.zone.base + place.zone.window;
    return { virtual: virtual as VirtualAddress, lengthBytes: bytesOf(state, block) - (virtual - block.virtual) };
  }
  for (const mapping of state.mappings.all) {
    const found = offsetOf(mapping.runs, physical);
    if (found === undefined) continue;
    return { virtual: (mapping.virtual + found.offset) as VirtualAddress, lengthBytes: found.lengthBytes };
  }
  return fault(physical, "physical address");
}

/** See `CoreApi.runs`. */
export function runsAt(state: JudgeState, address: number, lengthBytes: number): PhysicalRun[] {
  const found: Run[] = [];
  for (let done = 0; done < lengthBytes; ) {
    const run = translate(state, address + done);
    const take = Math.min(run.lengthBytes, lengthBytes - done);
    found.push({ physical: run.physical, lengthBytes: take });
    done += take;
  }
  return joined(found) as PhysicalRun[];
}
