/**
 * Views over the core's memory: the only file that makes them.
 *
 * Growing a WebAssembly memory detaches its buffer and leaves old views reading undefined and writing nowhere, without a
 * word. Only the mapping tables make the core grow; whoever calls something that may grow them calls `refresh` after it.
 */
import { Layout as L } from "../generated/layout.js";
import { type CoreMemory, WASM_PAGE } from "./wasm.js";

export class CoreViews {
  readonly #memory: CoreMemory;
  u8!: Uint8Array<ArrayBuffer>;
  u16!: Uint16Array<ArrayBuffer>;
  u32!: Uint32Array<ArrayBuffer>;
  f64!: Float64Array<ArrayBuffer>;
  /** The stack of each number of frames less one. */
  sizeClasses!: Uint16Array<ArrayBuffer>;
  /** For words that are not aligned to their size. */
  bytes!: DataView<ArrayBuffer>;

  /** Called when the views are new, for whoever keeps one of them. */
  onMove: () => void = () => {};

  constructor(memory: CoreMemory) {
    this.#memory = memory;
    this.refresh();
  }

  /** Make the views anew if the buffer is another one. Any growth, by zero too, leaves the old views without a byte. */
  refresh(): void {
    if (this.u8?.length) return;
    const { buffer } = this.#memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.sizeClasses = new Uint16Array(buffer, L.SIZE_CLASSES, L.CACHE_MAX_FRAMES);
    this.bytes = new DataView(buffer);
    this.onMove();
  }

  /** The u32 at a byte offset. */
  word(offset: number): number {
    return this.u32[offset >>> 2] as number;
  }

  /** The f64 at a byte offset. */
  float(offset: number): number {
    return this.f64[offset >>> 3] as number;
  }

  /** Make sure that the memory has at least `bytes`. Throws RangeError when the engine refuses. */
  grow(bytes: number): void {
    const missing = Math.ceil((bytes - this.u8.length) / WASM_PAGE);
    if (missing > 0) this.#memory.grow(missing);
    this.refresh();
  }
}
