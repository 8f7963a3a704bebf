/**
 * Buffers and typed arrays of any realm.
 *
 * A page's frames, jsdom and `node:vm` have constructors of their own, so `instanceof` refuses arrays that are perfectly
 * good. Here an object is told by what it is: the getters below read an internal slot and exist once for each kind. A
 * Proxy has none of these slots, whatever it stands for.
 */

/** Anything with an `ArrayBuffer` or a `SharedArrayBuffer` behind it, and those two themselves. */
export type ByteSource =
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | { readonly buffer: ArrayBuffer | SharedArrayBuffer };

function getter(prototype: object, key: PropertyKey): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, key)?.get as (this: unknown) => unknown;
}

const nameOfTypedArray = getter(Object.getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag);
const lengthOfBuffer = getter(ArrayBuffer.prototype, "byteLength");
/** Absent in pages that are not isolated. */
const lengthOfShared =
  typeof SharedArrayBuffer === "undefined" ? undefined : getter(SharedArrayBuffer.prototype, "byteLength");

interface TypedArrays {
  readonly Uint8Array: Uint8Array;
  readonly Uint32Array: Uint32Array;
  readonly Float64Array: Float64Array;
}

/** Is it a typed array of that name, of this realm or another? */
export function isTypedArray<N extends keyof TypedArrays>(value: unknown, name: N): value is TypedArrays[N] {
  return nameOfTypedArray.call(value) === name;
}

/** Is it an `ArrayBuffer` or a `SharedArrayBuffer`, of this realm or another? */
export function isBuffer(value: unknown): value is ArrayBuffer | SharedArrayBuffer {
  return hasSlot(lengthOfBuffer, value) || (lengthOfShared !== undefined && hasSlot(lengthOfShared, value));
}

function hasSlot(get: (this: unknown) => unknown, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    get.call(value);
    return true;
  } catch {
    return false; // the getter's TypeError is its answer
  }
}

/**
 * The bytes of a source as they are now; none where its buffer was transferred away. `undefined` for what is no source. A
 * `Uint8Array` is answered as it is, of every other view the same bytes.
 */
export function bytesOf(source: unknown): Uint8Array | undefined {
  if (isTypedArray(source, "Uint8Array")) return source;
  if (ArrayBuffer.isView(source)) return bytesOfView(source);
  const buffer = isBuffer(source) ? source : bufferIn(source);
  if (buffer === undefined) return undefined;
  return buffer.byteLength === 0 ? new Uint8Array(0) : new Uint8Array(buffer);
}

function bytesOfView(view: ArrayBufferView): Uint8Array {
  const { buffer } = view;
  // Of a DataView the length cannot be asked once its buffer is gone.
  return buffer.byteLength === 0 ? new Uint8Array(0) : new Uint8Array(buffer, view.byteOffset, view.byteLength);
}

/** The buffer that an object holds now, as a `WebAssembly.Memory` does. */
function bufferIn(holder: unknown): ArrayBuffer | SharedArrayBuffer | undefined {
  if (typeof holder !== "object" || holder === null) return undefined;
  try {
    const { buffer } = holder as { readonly buffer?: unknown };
    return isBuffer(buffer) ? buffer : undefined;
  } catch {
    return undefined; // a Proxy around a view, or a getter that refuses: no arena
  }
}
