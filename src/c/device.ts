/**
 * Device models for C drivers: registers of one, two and four bytes, and blocks that are the device's.
 *
 * A model is a `DeviceModel` of the machine (docs/embedding.md), and may have more:
 *
 *     readRegister(offset, widthBytes)            the width of the access: 1, 2 or 4
 *     writeRegister(offset, value, widthBytes)
 *     attach(port)                                `port.owns(logical, lengthBytes)`: the device may write there from now
 *                                                 on, and the driver may not; `port.gives(logical, lengthBytes)`: back
 *
 * A model that ignores the width is asked for whole words: a narrow read is cut out of one, a narrow write is a read, a
 * change and a write. `widths: true` on the model says that it knows widths.
 */
import type { DevicePort } from "../machine/index.js";
import type { CInstance } from "./instance.js";
import { TAG } from "./instance.js";

/** What a model sees of the machine beside `DevicePort`. */
export interface CDevicePort extends DevicePort {
  /** The device has the bytes: what the driver writes there meanwhile is a finding. Multiples of eight are kept. */
  owns(logical: number, lengthBytes: number): void;
  /** The driver has them again. */
  gives(logical: number, lengthBytes: number): void;
}

/** A model that a C driver drives. */
export interface CDevice {
  /** The model looks at `widthBytes`. Default false. */
  readonly widths?: boolean;
  attach(port: CDevicePort): void;
  readRegister(offset: number, widthBytes: 1 | 2 | 4): number;
  writeRegister(offset: number, value: number, widthBytes: 1 | 2 | 4): void;
  receive(frame: Uint8Array, wireLengthBytes?: number): void;
  detach?(): void;
}

/** Widths travel in the upper bits of an offset, between the loader and `WideDevice` alone. */
const WIDTH_SHIFT = 28;
const WRAPPED: WeakSet<CInstance> = new WeakSet();

/** An offset with its width, where the device is one of ours. */
export function encodeWidth(c: CInstance, offset: number, widthBytes: number): number {
  return WRAPPED.has(c) ? (offset | (widthBytes << WIDTH_SHIFT)) >>> 0 : offset;
}

/** Between the machine and a model. */
export class WideDevice {
  readonly #model: CDevice;
  readonly #c: CInstance;
  readonly #window: () => number;
  readonly #attached: (device: WideDevice) => void;
  /** Frames that the model stored in memory. */
  stored = 0;
  #lost = 0;

  /** `window`: what takes a physical address to the driver's. */
  constructor(
    make: (onDrop: () => void) => CDevice,
    c: CInstance,
    window: () => number,
    attached: (device: WideDevice) => void,
  ) {
    this.#attached = attached;
    this.#model = make(() => {
      this.#lost++;
    });
    this.#c = c;
    this.#window = window;
    WRAPPED.add(c);
  }

  attach(port: DevicePort): void {
    this.#attached(this);
    const c = this.#c;
    const at = (logical: number): number => logical - this.#window();
    const mark = (logical: number, lengthBytes: number, tag: number): void => {
      const from = (at(logical) + 7) & ~7;
      const to = (at(logical) + lengthBytes) & ~7;
      if (from < c.arenaStart || to > c.arenaEnd || to <= from) return;
      for (let granule = from; granule < to; granule += 8) {
        const now = c.tagAt(granule);
        if (tag === TAG.device ? now === 0 : now === TAG.device) c.poison(granule, 8, tag);
      }
    };
    const more = {
      owns: (logical: number, lengthBytes: number): void => mark(logical, lengthBytes, TAG.device),
      gives: (logical: number, lengthBytes: number): void => mark(logical, lengthBytes, 0),
    };
    this.#model.attach(
      new Proxy(port, {
        get: (target, name) => {
          if (name === "owns" || name === "gives") return more[name];
          const value = Reflect.get(target, name, target) as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      }) as CDevicePort,
    );
  }

  detach(): void {
    this.#model.detach?.();
  }

  receive(frame: Uint8Array, wireLengthBytes?: number): void {
    const before = this.#lost;
    this.#model.receive(frame, wireLengthBytes);
    if (this.#lost === before) this.stored++;
  }

  readRegister(encoded: number): number {
    const { offset, width } = split(encoded);
    const model = this.#model;
    if (width === 4 || model.widths === true) return model.readRegister(offset, width);
    const word = model.readRegister(offset & ~3, 4);
    return (word >>> (8 * (offset & 3))) & (width === 1 ? 0xff : 0xffff);
  }

  writeRegister(encoded: number, value: number): void {
    const { offset, width } = split(encoded);
    const model = this.#model;
    if (width === 4 || model.widths === true) {
      model.writeRegister(offset, value, width);
      return;
    }
    const shift = 8 * (offset & 3);
    const mask = (width === 1 ? 0xff : 0xffff) << shift;
    const word = model.readRegister(offset & ~3, 4);
    model.writeRegister(offset & ~3, ((word & ~mask) | ((value << shift) & mask)) >>> 0, 4);
  }
}

function split(encoded: number): { readonly offset: number; readonly width: 1 | 2 | 4 } {
  const width = encoded >>> WIDTH_SHIFT;
  return { offset: encoded & 0x0fff_ffff, width: width === 1 || width === 2 ? width : 4 };
}
