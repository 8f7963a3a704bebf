/**
 * The PCI side of a device: what a C driver finds in its resources and in configuration space.
 *
 * A model's module exports `pci`; what it leaves out is as here.
 */
import { ShmemError } from "../../bindings/index.js";

/** One base address register. */
export interface PciBar {
  /** Bytes, a power of two from 16 to 256 KiB. */
  readonly bytes: number;
  /** Default "memory". */
  readonly kind?: "memory" | "io";
  /** Added to an offset in this register's range before the model is asked. Default 0. */
  readonly modelOffset?: number;
}

export interface PciDescription {
  readonly vendor: number;
  readonly device: number;
  readonly subsystem: number;
  readonly revision: number;
  readonly bars: readonly Required<PciBar>[];
  /** Bytes of configuration space that differ from what the fields above say: offset and bytes. */
  readonly config: readonly (readonly [offset: number, bytes: readonly number[]])[];
}

/** Physical address of the registers of the first adapter; each next one is `ADAPTER_STRIDE` higher. */
export const REGISTER_PHYSICAL = 0xf000_0000;
export const ADAPTER_STRIDE = 0x4_0000;
export const INTERRUPT_VECTOR = 0x31;
/** First port of the first adapter. */
const FIRST_PORT = 0xc000;
/** Ports of an adapter. */
export const PORTS = 0x100;
const MOST_BYTES = 0x4_0000;

const DEFAULT: PciDescription = {
  vendor: 0x1af4,
  device: 0x10ff,
  subsystem: 0,
  revision: 1,
  bars: [{ bytes: 4096, kind: "memory", modelOffset: 0 }],
  config: [],
};

/** A description with its defaults. `INVALID_ARGUMENT` for what no device can be. */
export function pciOf(
  given: Partial<Omit<PciDescription, "bars">> & { readonly bars?: readonly PciBar[] } = {},
): PciDescription {
  const bars = (given.bars ?? DEFAULT.bars).map((bar) => ({ kind: "memory" as const, modelOffset: 0, ...bar }));
  let sum = 0;
  bars.forEach(({ bytes }, index) => {
    if (!Number.isInteger(bytes) || bytes < 16 || bytes > MOST_BYTES || (bytes & (bytes - 1)) !== 0) {
      refuse(`pci.bars[${index}].bytes`, bytes, `must be a power of two from 16 to ${MOST_BYTES}`);
    }
    sum = alignTo(sum, bytes) + bytes;
  });
  const ports = bars.reduce((bytes, bar) => bytes + (bar.kind === "io" ? bar.bytes : 0), 0);
  if (ports > PORTS) refuse("pci.bars", ports, `of kind "io" together have ${PORTS} ports at most`);
  if (bars.length > 6) refuse("pci.bars", bars.length, "a device has six base address registers at most");
  if (sum > MOST_BYTES) refuse("pci.bars", sum, `together have ${MOST_BYTES} bytes at most`);
  return { ...DEFAULT, ...given, bars };
}

/** Where each BAR lies among the registers of an adapter. */
export function barOffsets(pci: PciDescription): readonly number[] {
  let at = 0;
  return pci.bars.map(({ bytes }) => {
    const offset = alignTo(at, bytes);
    at = offset + bytes;
    return offset;
  });
}

/** Where each I/O BAR lies among the ports of an adapter; -1 for memory. */
export function portOffsets(pci: PciDescription): readonly number[] {
  let at = 0;
  return pci.bars.map(({ kind, bytes }) => {
    if (kind !== "io") return -1;
    const offset = alignTo(at, bytes);
    at = offset + bytes;
    return offset;
  });
}

/** First port of adapter `number`; each has 256. */
export function firstPort(number: number): number {
  return FIRST_PORT + number * PORTS;
}

/** 256 bytes of configuration space of adapter `number` (from 0). */
export function configSpace(pci: PciDescription, number: number): Uint8Array {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, pci.vendor, true);
  view.setUint16(2, pci.device, true);
  view.setUint16(4, 0x0007, true); // I/O and memory decoded, bus master
  view.setUint8(8, pci.revision);
  view.setUint16(10, 0x0200, true); // an Ethernet controller
  const offsets = portOffsets(pci);
  pci.bars.forEach(({ kind }, index) => {
    const address =
      kind === "io" ? (firstPort(number) + (offsets[index] as number)) | 1 : barPhysical(pci, number, index);
    view.setUint32(0x10 + 4 * index, address >>> 0, true);
  });
  view.setUint32(0x2c, pci.subsystem >>> 0, true);
  view.setUint8(0x3c, INTERRUPT_VECTOR);
  view.setUint8(0x3d, 1);
  for (const [offset, part] of pci.config) bytes.set(part, offset);
  return bytes;
}

export function barPhysical(pci: PciDescription, number: number, index: number): number {
  return REGISTER_PHYSICAL + number * ADAPTER_STRIDE + (barOffsets(pci)[index] as number);
}

function alignTo(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function refuse(field: string, value: unknown, rule: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} ${rule}, got ${String(value)}`, { field, value });
}
