/**
 * What is known of an address, and the refusals that say it.
 *
 * Every refusal that concerns an address carries the explanation of it: what holds it, how far into the block it lies, or
 * that it was freed. One place makes the sentences, so that a log can be searched for them.
 */
import { hex, type VirtualAddress } from "../addresses.js";
import { type ErrorCode, type Mismatch, ShmemError } from "../errors.js";
import { Layout as L } from "../generated/layout.js";
import type { Explanation } from "./api.js";
import type { CoreState, Place } from "./state.js";

/** What is known of a virtual address. */
export function explainAddress(state: CoreState, address: number): Explanation {
  const place = state.placeOf(address);
  if (place !== undefined) return explainPlace(state, address, place);
  const { views } = state;
  const record = state.wasm.mappingAt(address) >>> 0;
  if (record === 0) return { address, state: "unmapped", zone: -1, text: `${hex(address)} is mapped nowhere` };
  const group = views.float(record + L.M_OWNER);
  const lengthBytes = views.float(record + L.M_OWNER_BYTES);
  const scattered = views.word(record + L.M_KIND) === L.KIND_SCATTERED;
  const offset = address - group;
  const what = scattered ? "the scattered block" : "the foreign range";
  return {
    address,
    state: scattered ? "live" : "foreign",
    zone: -1,
    block: {
      virtual: group as VirtualAddress,
      lengthBytes,
      order: -1,
      contiguous: false,
      ...(state.plan.tags && scattered ? { tag: views.word(record + L.M_TAG) } : {}),
    },
    offset,
    text: `${hex(address)} is byte ${offset} of ${what} at ${hex(group)} (${lengthBytes} bytes)`,
  };
}

function explainPlace(state: CoreState, address: number, { zone, frame }: Place): Explanation {
  const index = state.zones.indexOf(zone);
  const { views, wasm } = state;
  if (wasm.holder(frame) !== 1) {
    const freed = state.frameAt(address) !== 0 && wasm.inspect(frame) === L.FREED;
    const what = freed ? "was the start of a block that is not live now" : "is in no block";
    return {
      address,
      state: freed ? "freed" : "free",
      zone: index,
      text: `${hex(address)} ${what} (zone ${index})`,
    };
  }
  const head = views.word(L.H_FOUND_HEAD);
  const frames = views.word(L.H_FOUND_FRAMES);
  const lengthBytes = views.word(L.H_FOUND_LENGTH);
  const start = state.windowOf(head);
  const offset = address - start;
  const past = offset < lengthBytes ? "" : `, ${offset - lengthBytes} past its end`;
  return {
    address,
    state: "live",
    zone: index,
    block: {
      virtual: start,
      lengthBytes,
      order: frames === 1 ? 0 : 32 - Math.clz32(frames - 1),
      contiguous: true,
      ...(state.plan.tags ? { tag: wasm.tagOf(head) >>> 0 } : {}),
    },
    offset,
    text: `${hex(address)} is byte ${offset} of the live block at ${hex(start)} (${lengthBytes} bytes)${past}`,
  };
}

/** Refuse for an address, with its explanation. */
export function refuse(state: CoreState, code: ErrorCode, address: number, message: string): never {
  const explain = explainAddress(state, address);
  throw new ShmemError(code, `${message} (${explain.text})`, { value: address, unit: "address", explain });
}

/** Refuse an argument. */
export function refuseArgument(field: string, value: unknown, unit: string, message: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field}: ${message}`, { field, value, unit });
}

/** Refuse to translate an address. */
export function fault(state: CoreState, address: number, space: "virtual" | "physical"): never {
  const message = `${space} address ${hex(address)} is not mapped`;
  if (space === "virtual") refuse(state, "TRANSLATION_FAULT", address, message);
  throw new ShmemError("TRANSLATION_FAULT", message, { value: address, unit: "physical address" });
}

/** Refuse when length or tag differ from those of the block at `address`; every wrong field is listed (misuse B13). */
export function compareFields(
  state: CoreState,
  address: number,
  expected: { readonly lengthBytes: number; readonly tag: number },
  given: { readonly lengthBytes: number | undefined; readonly tag: number | undefined },
): void {
  const mismatches: Mismatch[] = [];
  if (given.lengthBytes !== undefined && given.lengthBytes !== expected.lengthBytes)
    mismatches.push({
      field: "lengthBytes",
      given: given.lengthBytes,
      expected: expected.lengthBytes,
      unit: "bytes",
    });
  if (given.tag !== undefined && given.tag !== expected.tag)
    mismatches.push({ field: "tag", given: given.tag, expected: expected.tag, unit: "tag" });
  const first = mismatches[0];
  if (first === undefined) return;
  const list = mismatches.map((wrong) => `${wrong.field} ${wrong.given}, allocated with ${wrong.expected}`);
  const code = first.field === "lengthBytes" ? "LENGTH_MISMATCH" : "WRONG_OWNER";
  throw new ShmemError(code, `block ${hex(address)}: ${list.join("; ")}`, {
    value: first.given,
    unit: first.unit,
    field: first.field,
    mismatches,
    explain: explainAddress(state, address),
  });
}

const REFUSALS: Record<number, readonly [ErrorCode, string]> = {
  [L.INTERIOR]: ["INTERIOR_ADDRESS", "lies inside a live block and is not its start"],
  [L.FREED]: ["ALREADY_FREED", "was freed before"],
  [L.NEVER]: ["NEVER_ALLOCATED", "was never handed out"],
};

/**
 * Refuse a free, or a question, at an address where no block starts that it could mean: `INTERIOR_ADDRESS`,
 * `ALREADY_FREED`, `NEVER_ALLOCATED` in a window, `FOREIGN_ADDRESS` outside. Returns only where a live block does start.
 */
export function refuseUnlessStart(state: CoreState, address: number): void {
  if (address === 0) refuseArgument("address", 0, "address", "0 is null");
  const place = state.placeOf(address);
  if (place === undefined) {
    refuseOutside(state, address);
    return;
  }
  let code = state.wasm.inspect(place.frame);
  if (state.frameAt(address) === 0) code = state.wasm.holder(place.frame) === 1 ? L.INTERIOR : L.NEVER;
  const refusal = REFUSALS[code];
  if (refusal !== undefined) refuse(state, refusal[0], address, `${hex(address)} ${refusal[1]}`);
}

function refuseOutside(state: CoreState, address: number): void {
  if (state.scatteredAt(address) !== 0) return;
  const record = state.wasm.mappingAt(address) >>> 0;
  if (record !== 0 && state.views.word(record + L.M_KIND) === L.KIND_SCATTERED)
    refuse(state, "INTERIOR_ADDRESS", address, `${hex(address)} is not the start of its block`);
  // Virtual and physical arguments that were exchanged are a common slip (misuse B11).
  const exchanged =
    state.placeOfPhysical(address) === undefined
      ? ""
      : "; it is a physical address: virtual and physical look exchanged";
  refuse(state, "FOREIGN_ADDRESS", address, `${hex(address)} lies in no block of this core${exchanged}`);
}
