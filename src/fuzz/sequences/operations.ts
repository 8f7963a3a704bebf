/**
 * What the bytes of an operation mean in a given state: lengths, constraints, addresses.
 *
 * The modifier of an allocation holds its constraints: the low three bits say which, the high five how much (`p`).
 *
 *     0  none                          4  node p % 3
 *     1  alignment frameSize << p % 10  5  preferred node p % 3
 *     2  boundary frameSize << p % 10  6  highest, and alignment frameSize << p % 4
 *     3  highest: see `highestOf`      7  may be scattered, and alignment frameSize << p % 4
 *
 * A core with tags gives each block the tag p % 4.
 */
import type { AllocateOptions, CorePlan } from "../../../bindings/index.js";
import { floorPowerOfTwo } from "../../../bindings/index.js";

/** Bytes that an allocation asks for. */
export function lengthOfValue(value: number, large: boolean): number {
  return large ? (value + 1) * 64 : value + 1;
}

/** The constraints of a modifier. `undefined` for none at all, which is the hot path of a core. */
export function constraintsOfModifier(
  modifier: number,
  value: number,
  plan: CorePlan,
  scattered: boolean,
): AllocateOptions | undefined {
  const which = modifier & 7;
  const p = modifier >>> 3;
  const tag = p & 3;
  if (which === 0 && (!plan.tags || tag === 0)) return undefined;
  const tagged = plan.tags && tag !== 0 ? { tag } : {};
  const most = floorPowerOfTwo(plan.totalBytes);
  const aligned = (orders: number): number => Math.min(most, plan.frameSize * 2 ** (p % orders));
  switch (which) {
    case 1:
      return { ...tagged, alignment: aligned(10) };
    case 2:
      return { ...tagged, boundary: plan.frameSize * 2 ** (p % 10) };
    case 3:
      return { ...tagged, highest: highestOf(p, value, plan) };
    case 4:
      return { ...tagged, node: p % 3 };
    case 5:
      return { ...tagged, preferredNode: p % 3 };
    case 6:
      return { ...tagged, highest: highestOf(p, value, plan), alignment: aligned(4) };
    case 7:
      return scattered ? { ...tagged, contiguous: false, alignment: aligned(4) } : tagged;
    default:
      return tagged;
  }
}

/** The last byte of a frame of a zone, or one byte before or after it: where off-by-one mistakes live. */
function highestOf(p: number, value: number, plan: CorePlan): number {
  const zone = plan.zones[p % plan.zones.length];
  if (zone === undefined) return 0;
  const frames = zone.size / plan.frameSize;
  const frame = (value >>> 4) % (frames + 1);
  return Math.max(0, zone.base + frame * plan.frameSize + ((p >>> 3) % 3) - 2);
}
