/**
 * Buffers and byte arrays, told by their internal slots: of any realm (jsdom, `vm`, an iframe), and never a proxy or an
 * object that only looks like one.
 */
import { madeBy, type Rule, refuse } from "./rule.js";

const tagOfArray = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as (this: unknown) => string | undefined;
const lengthOfBuffer = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")?.get as () => number;
/** Absent in pages that are not isolated. */
const lengthOfShared =
  typeof SharedArrayBuffer === "undefined"
    ? undefined
    : (Object.getOwnPropertyDescriptor(SharedArrayBuffer.prototype, "byteLength")?.get as () => number);

/** True for a Uint8Array of any realm (Node's Buffer is one). */
export function isUint8Array(value: unknown): value is Uint8Array {
  return tagOfArray.call(value) === "Uint8Array";
}

/** True for an ArrayBuffer of any realm. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return hasSlot(lengthOfBuffer, value);
}

/** True for a SharedArrayBuffer of any realm. */
export function isSharedArrayBuffer(value: unknown): value is SharedArrayBuffer {
  return lengthOfShared !== undefined && hasSlot(lengthOfShared, value);
}

function hasSlot(getter: () => number, value: unknown): boolean {
  try {
    getter.call(value);
    return true;
  } catch {
    return false;
  }
}

/** True for a WebAssembly.Memory of any realm. */
export function isWasmMemory(value: unknown): value is { readonly buffer: ArrayBufferLike } {
  try {
    return Object.prototype.toString.call(value) === "[object WebAssembly.Memory]";
  } catch {
    // A proxy that was revoked.
    return false;
  }
}

/** Bytes of the host behind a core's zones. */
export function hostBytes<T>(): Rule<T> {
  const isOne = (value: unknown): boolean =>
    isArrayBuffer(value) || isSharedArrayBuffer(value) || isUint8Array(value) || isWasmMemory(value);
  return madeBy<T>("an ArrayBuffer, a SharedArrayBuffer, a Uint8Array or a WebAssembly.Memory", isOne);
}

/** A Uint8Array of any realm, of `least` to `most` bytes. */
export function bytes(least = 0, most: number = Number.MAX_SAFE_INTEGER): Rule<Uint8Array> {
  const rule: Rule<Uint8Array> = {
    kind: "bytes",
    allowed: `a Uint8Array${least > 0 ? ` of at least ${least} bytes` : ""}${most < Number.MAX_SAFE_INTEGER ? ` of at most ${most} bytes` : ""}`,
    unit: "bytes",
    fits: (value: unknown) => isUint8Array(value),
    read: (value: unknown, field: string): Uint8Array =>
      isUint8Array(value) && value.length >= least && value.length <= most ? value : refuse(field, value, rule),
  };
  return rule;
}
