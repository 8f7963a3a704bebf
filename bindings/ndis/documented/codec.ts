/**
 * The codec: documented structures as bytes, in the x64 and x86 layouts, for emulators and for those who read dumps.
 *
 * A layout is a list of fields in declaration order; offsets follow from natural alignment, as in C, and a test compares
 * them with the documented ones. Numbers travel as numbers; what has 64 bits (addresses, pointers on x64) as bigint, the
 * only place in this package where bigints occur. Little-endian. Pointers are opaque: the codec follows none.
 */

import { ADDRESS_LIMIT } from "../../addresses.js";
import { ShmemError } from "../../errors.js";
import { describeValue } from "../../values.js";
import type { NDIS_PHYSICAL_ADDRESS } from "./physical.js";
import type { SCATTER_GATHER_ELEMENT, SCATTER_GATHER_LIST } from "./scatter-gather.js";

/** Whose layout: that of 64-bit or of 32-bit Windows. */
export type Platform = "x64" | "x86";

/** `pointer` has 8 bytes on x64 and 4 on x86; `i64` is LARGE_INTEGER. */
export type FieldType = "u8" | "u16" | "u32" | "i32" | "i64" | "pointer";

/** Structures that have a layout of fixed size. Lists have `encodeScatterGatherList`. */
export type StructureName =
  | "NDIS_OBJECT_HEADER"
  | "NDIS_PHYSICAL_ADDRESS"
  | "NDIS_SG_DMA_DESCRIPTION_REVISION_1"
  | "NDIS_SG_DMA_DESCRIPTION_REVISION_2"
  | "NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES"
  | "NDIS_SHARED_MEMORY_PARAMETERS_REVISION_1"
  | "NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2"
  | "NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS"
  | "NDIS_SCATTER_GATHER_LIST_PARAMETERS"
  | "NET_BUFFER_SHARED_MEMORY"
  | "SCATTER_GATHER_ELEMENT";

type Fields = readonly (readonly [name: string, type: FieldType])[];

const HEADER: Fields = [
  ["Header.Type", "u8"],
  ["Header.Revision", "u8"],
  ["Header.Size", "u16"],
];

const SG_DMA_DESCRIPTION: Fields = [
  ...HEADER,
  ["Flags", "u32"],
  ["MaximumPhysicalMapping", "u32"],
  ["ProcessSGListHandler", "pointer"],
  ["SharedMemAllocateCompleteHandler", "pointer"],
  ["ScatterGatherListSize", "u32"],
];

const SHARED_MEMORY_PARAMETERS: Fields = [
  ...HEADER,
  ["Flags", "u32"],
  ["QueueId", "u32"],
  ["SharedMemoryHandle", "pointer"],
  ["PreferredNode", "u32"],
  ["Usage", "u32"],
  ["Length", "u32"],
  ["VirtualAddress", "pointer"],
  ["SGListBufferLength", "u32"],
  ["SGListBuffer", "pointer"],
];

const LAYOUTS: Readonly<Record<StructureName, Fields>> = {
  NDIS_OBJECT_HEADER: HEADER,
  NDIS_PHYSICAL_ADDRESS: [["QuadPart", "i64"]],
  NDIS_SG_DMA_DESCRIPTION_REVISION_1: SG_DMA_DESCRIPTION,
  NDIS_SG_DMA_DESCRIPTION_REVISION_2: [...SG_DMA_DESCRIPTION, ["PdoOverride", "pointer"]],
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES: [
    ...HEADER,
    ["MiniportAdapterContext", "pointer"],
    ["AttributeFlags", "u32"],
    ["CheckForHangTimeInSeconds", "u32"],
    ["InterfaceType", "i32"],
  ],
  NDIS_SHARED_MEMORY_PARAMETERS_REVISION_1: SHARED_MEMORY_PARAMETERS,
  NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2: [...SHARED_MEMORY_PARAMETERS, ["VPortId", "u32"]],
  NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS: [
    ...HEADER,
    ["Flags", "u32"],
    ["ProviderContext", "pointer"],
    ["AllocateSharedMemoryHandler", "pointer"],
    ["FreeSharedMemoryHandler", "pointer"],
  ],
  NDIS_SCATTER_GATHER_LIST_PARAMETERS: [
    ...HEADER,
    ["Flags", "u32"],
    ["QueueId", "u32"],
    ["SharedMemoryUsage", "u32"],
    ["Mdl", "pointer"],
    ["CurrentVa", "pointer"],
    ["Length", "u32"],
    ["ProcessSGListHandler", "pointer"],
    ["Context", "pointer"],
    ["ScatterGatherListBuffer", "pointer"],
    ["ScatterGatherListBufferSize", "u32"],
    ["ScatterGatherListBufferSizeNeeded", "u32"],
  ],
  NET_BUFFER_SHARED_MEMORY: [
    ["NextSharedMemorySegment", "pointer"],
    ["SharedMemoryFlags", "u32"],
    ["SharedMemoryHandle", "pointer"],
    ["SharedMemoryOffset", "u32"],
    ["SharedMemoryLength", "u32"],
  ],
  SCATTER_GATHER_ELEMENT: [
    ["Address", "i64"],
    ["Length", "u32"],
    ["Reserved", "pointer"],
  ],
};

/** Where the fields of a structure lie. */
export interface Layout {
  /** Byte offset of each field, by its dotted name. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Bytes up to the end of the last field: what NDIS_SIZEOF macros give. */
  readonly macroSize: number;
  /** C `sizeof`: rounded up to the strictest alignment. */
  readonly size: number;
}

function sizeOf(type: FieldType, platform: Platform): number {
  switch (type) {
    case "u8":
      return 1;
    case "u16":
      return 2;
    case "i64":
      return 8;
    case "pointer":
      return platform === "x64" ? 8 : 4;
    default:
      return 4;
  }
}

/** Offsets and sizes of a structure. */
export function layoutOf(structure: StructureName, platform: Platform): Layout {
  const offsets: Record<string, number> = {};
  let at = 0;
  let strictest = 1;
  for (const [name, type] of fieldsOf(structure)) {
    const size = sizeOf(type, platform);
    at = roundUp(at, size);
    offsets[name] = at;
    at += size;
    strictest = Math.max(strictest, size);
  }
  return { offsets, macroSize: at, size: roundUp(at, strictest) };
}

/** The values of a structure, by the documented field names; 64-bit fields as bigint, others as numbers. */
export type StructureValues = Readonly<Record<string, number | bigint>>;

/** A structure as bytes, `sizeof` of them. A field that is not given is 0; an unknown one, or a value that does not fit, is `INVALID_ARGUMENT`. */
export function encodeStructure(structure: StructureName, platform: Platform, values: StructureValues): Uint8Array {
  const fields = fieldsOf(structure);
  for (const name of Object.keys(values)) {
    if (!fields.some(([field]) => field === name)) refuse(name, values[name], `${structure} has no such field`);
  }
  const { offsets, size } = layoutOf(structure, platform);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [name, type] of fields) write(view, offsets[name] as number, type, platform, values[name] ?? 0, name);
  return bytes;
}

/** The values of a structure that lies at `offset`. `INVALID_ARGUMENT` where the bytes end before its last field. */
export function decodeStructure(
  structure: StructureName,
  platform: Platform,
  bytes: Uint8Array,
  offset = 0,
): Record<string, number | bigint> {
  const { offsets, macroSize } = layoutOf(structure, platform);
  if (!Number.isInteger(offset) || offset < 0 || offset + macroSize > bytes.length) {
    refuse("bytes", bytes.length, `${structure} needs ${macroSize} bytes from offset ${offset}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, macroSize);
  const values: Record<string, number | bigint> = {};
  for (const [name, type] of fieldsOf(structure)) values[name] = read(view, offsets[name] as number, type, platform);
  return values;
}

/** Bytes of a scatter/gather list of `elements` elements in C. */
export function listBytes(elements: number, platform: Platform): number {
  return platform === "x64" ? 16 + 24 * elements : 8 + 16 * elements;
}

/** Bytes of a list in the worst case of a mapping of `maximumPhysicalMapping` bytes: no two pages adjoin (choice C8). */
export function worstCaseListBytes(maximumPhysicalMapping: number, platform: Platform): number {
  return listBytes(Math.floor((maximumPhysicalMapping + 8190) / 4096), platform);
}

/** A scatter/gather list as bytes: 16 + 24 for each element on x64, 8 + 16 on x86. */
export function encodeScatterGatherList(list: SCATTER_GATHER_LIST, platform: Platform): Uint8Array {
  const head = platform === "x64" ? 16 : 8;
  const step = layoutOf("SCATTER_GATHER_ELEMENT", platform).size;
  const bytes = new Uint8Array(head + step * list.Elements.length);
  new DataView(bytes.buffer).setUint32(0, list.Elements.length, true);
  list.Elements.forEach((element, i) => {
    const values = { Address: BigInt(element.Address), Length: element.Length };
    bytes.set(encodeStructure("SCATTER_GATHER_ELEMENT", platform, values), head + step * i);
  });
  return bytes;
}

/** A list from its bytes. `INVALID_ARGUMENT` where they end early, or an address needs more than 52 bits. */
export function decodeScatterGatherList(bytes: Uint8Array, platform: Platform): SCATTER_GATHER_LIST {
  const head = platform === "x64" ? 16 : 8;
  if (bytes.length < head) refuse("bytes", bytes.length, `a list has at least ${head} bytes`);
  const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const step = layoutOf("SCATTER_GATHER_ELEMENT", platform).size;
  // The count is the file's word: it sizes nothing before the bytes were compared with it.
  if (head + step * count > bytes.length)
    refuse("NumberOfElements", count, `${bytes.length} bytes hold fewer elements`);
  const Elements: SCATTER_GATHER_ELEMENT[] = [];
  for (let i = 0; i < count; i++) {
    const { Address, Length } = decodeStructure("SCATTER_GATHER_ELEMENT", platform, bytes, head + step * i);
    Elements.push({ Address: physicalFromQuadPart(Address as bigint), Length: Length as number });
  }
  return { NumberOfElements: count, Elements };
}

/** A signed QuadPart as an address. `INVALID_ARGUMENT` below 0 and from 2^52 on. */
export function physicalFromQuadPart(QuadPart: bigint): NDIS_PHYSICAL_ADDRESS {
  if (QuadPart < 0n || QuadPart >= BigInt(ADDRESS_LIMIT)) refuse("QuadPart", QuadPart, "is no address below 2^52");
  return Number(QuadPart) as NDIS_PHYSICAL_ADDRESS;
}

function fieldsOf(structure: StructureName): Fields {
  const fields: Fields | undefined = Object.hasOwn(LAYOUTS, structure) ? LAYOUTS[structure] : undefined;
  return fields ?? refuse("structure", structure, "has no layout");
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

const RANGES: Readonly<Record<Exclude<FieldType, "pointer">, readonly [bigint, bigint]>> = {
  u8: [0n, 0xffn],
  u16: [0n, 0xffffn],
  u32: [0n, 0xffff_ffffn],
  i32: [-0x8000_0000n, 0x7fff_ffffn],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
};

function write(
  view: DataView,
  at: number,
  type: FieldType,
  platform: Platform,
  value: number | bigint,
  name: string,
): void {
  if (typeof value === "number" ? !Number.isSafeInteger(value) : typeof value !== "bigint") {
    refuse(name, value, "must be an integer");
  }
  const exact = BigInt(value);
  const [least, most] = type === "pointer" ? [0n, platform === "x64" ? 2n ** 64n - 1n : 0xffff_ffffn] : RANGES[type];
  if (exact < least || exact > most) refuse(name, value, `must be from ${least} to ${most}`);
  switch (sizeOf(type, platform)) {
    case 1:
      view.setUint8(at, Number(exact));
      break;
    case 2:
      view.setUint16(at, Number(exact), true);
      break;
    case 8:
      view.setBigInt64(at, BigInt.asIntN(64, exact), true);
      break;
    default:
      view.setInt32(at, Number(BigInt.asIntN(32, exact)), true);
  }
}

function read(view: DataView, at: number, type: FieldType, platform: Platform): number | bigint {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "i64":
      return view.getBigInt64(at, true);
    default:
      return platform === "x64" ? view.getBigUint64(at, true) : view.getUint32(at, true);
  }
}

function refuse(field: string, value: unknown, rule: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} ${rule}, got ${describeValue(value)}`, { field, value });
}
