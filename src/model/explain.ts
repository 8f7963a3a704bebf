/**
 * What is known of a virtual address.
 */
import { type Explanation, hex, type VirtualAddress } from "../../bindings/index.js";
import { ceilPowerOfTwo, framesOf } from "./placement.js";
import type { JudgeState } from "./state.js";

/** See `CoreApi.explain`. Changes nothing. */
export function explain(state: JudgeState, address: number): Explanation {
  const place = state.inWindow(address);
  const zone = place === undefined ? -1 : state.zones.indexOf(place.zone);
  const mapping = state.mappings.at(address);
  const block = state.windowBlock(address) ?? mapping?.block;
  const at = hex(address);
  if (block !== undefined) {
    const offset = address - block.virtual;
    const { virtual, lengthBytes, contiguous, tag } = block;
    const order = contiguous ? Math.log2(ceilPowerOfTwo(framesOf(lengthBytes, state.plan.frameSize))) : -1;
    return {
      address,
      state: "live",
      zone,
      block: {
        virtual: virtual as VirtualAddress,
        lengthBytes,
        order,
        contiguous,
        ...(state.plan.tags ? { tag } : {}),
      },
      offset,
      text: `${at} is byte ${offset} of the live block at ${hex(virtual)} of ${lengthBytes} bytes.`,
    };
  }
  if (mapping !== undefined) {
    const { virtual, bytes } = mapping;
    const offset = address - virtual;
    return {
      address,
      state: "foreign",
      zone: -1,
      block: { virtual: virtual as VirtualAddress, lengthBytes: bytes, order: -1, contiguous: false },
      offset,
      text: `${at} is byte ${offset} of the mapping at ${hex(virtual)} of ${bytes} bytes.`,
    };
  }
  if (state.tombstones.has(address))
    return { address, state: "freed", zone, text: `${at} was the start of a block that is not live any more.` };
  if (zone >= 0) return { address, state: "free", zone, text: `${at} lies in the arena and in no block.` };
  return { address, state: "unmapped", zone, text: `${at} lies outside every zone and mapping.` };
}
