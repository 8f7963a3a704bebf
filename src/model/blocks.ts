/**
 * Which block an address means, or why it means none; and whether a free matches it.
 */
import { hex, type Mismatch, ShmemError } from "../../bindings/index.js";
import type { JudgeBlock } from "./block.js";
import { explain } from "./explain.js";
import type { JudgeState } from "./state.js";

/** Throw for an address that a call cannot mean. */
export function refuse(
  state: JudgeState,
  code: "INTERIOR_ADDRESS" | "FOREIGN_ADDRESS" | "ALREADY_FREED" | "NEVER_ALLOCATED",
  address: number,
  why: string,
): never {
  const details = { value: address, unit: "address", explain: explain(state, address) };
  throw new ShmemError(code, `${hex(address)} ${why}`, details);
}

/** The live block that holds an address, in a window or behind. */
export function liveAt(state: JudgeState, address: number): JudgeBlock | undefined {
  return state.windowBlock(address) ?? state.mappings.at(address)?.block;
}

/** The block that starts at an address, or the refusal that `free` and `lengthOf` share. */
export function blockAt(state: JudgeState, address: number): JudgeBlock {
  if (address === 0)
    throw new ShmemError("INVALID_ARGUMENT", "address 0 is null", { field: "address", value: 0, unit: "address" });
  const block = liveAt(state, address);
  if (block !== undefined) {
    if (block.virtual === address) return block;
    return refuse(state, "INTERIOR_ADDRESS", address, `lies inside the block at ${hex(block.virtual)}`);
  }
  if (state.mappings.at(address) !== undefined)
    return refuse(state, "FOREIGN_ADDRESS", address, "lies in a mapping, not in a block");
  if (state.tombstones.has(address)) return refuse(state, "ALREADY_FREED", address, "is not live any more");
  if (state.inWindow(address) !== undefined) return refuse(state, "NEVER_ALLOCATED", address, "was never handed out");
  return refuse(state, "FOREIGN_ADDRESS", address, "lies outside every zone and mapping");
}

/** Refuse a free whose length or tag differs from the block's; every wrong field is listed, the length first. */
export function mustMatch(state: JudgeState, block: JudgeBlock, lengthBytes?: number, tag?: number): void {
  const mismatches: Mismatch[] = [];
  if (lengthBytes !== undefined && lengthBytes !== block.lengthBytes)
    mismatches.push({ field: "lengthBytes", given: lengthBytes, expected: block.lengthBytes, unit: "bytes" });
  if (tag !== undefined && tag !== block.tag)
    mismatches.push({ field: "tag", given: tag, expected: block.tag, unit: "tag" });
  const [first] = mismatches;
  if (first === undefined) return;
  const listed = mismatches.map((one) => `${one.field} is ${one.expected}, not ${one.given}`).join(", ");
  throw new ShmemError(
    first.field === "tag" ? "WRONG_OWNER" : "LENGTH_MISMATCH",
    `the block at ${hex(block.virtual)} does not match: ${listed}`,
    {
      value: first.given,
      unit: first.unit,
      field: first.field,
      mismatches,
      explain: explain(state, block.virtual),
    },
  );
}
