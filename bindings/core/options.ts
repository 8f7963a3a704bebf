/**
 * Validation: what crosses from JavaScript is checked here, before it can reach the core.
 *
 * The Wasm boundary turns a JavaScript number into 32 bits without a word: NaN becomes 0, -1 becomes 4294967295 and
 * 2^32 + 8 becomes 8. So every value is proved to be an integer in its range first. Option objects are read once, key
 * by key, from own properties only: an unknown key is refused by name, a getter runs once, and a polluted
 * `Object.prototype` supplies no defaults.
 *
 * Core and judge share this file, because validation is no part of what the judge judges.
 */
import { ADDRESS_LIMIT, hex, isAddress } from "../addresses.js";
import { ShmemError } from "../errors.js";
import { describeValue } from "../values.js";
import type { AllocateOptions, Arena, CoreOptions } from "./api.js";

/** A zone after validation, with its virtual window. */
export interface ZonePlan {
  readonly base: number;
  readonly size: number;
  readonly node: number;
  readonly arenaOffset: number;
  /** First virtual byte of the zone's window. */
  readonly window: number;
}

/** Options after validation, defaults filled in. */
export interface CorePlan {
  readonly zones: readonly ZonePlan[];
  readonly frameSize: number;
  readonly tags: boolean;
  readonly totalBytes: number;
  /** Bytes the arena must have. */
  readonly arenaBytes: number;
  /** Where scattered blocks get their virtual ranges: the first address of an unbounded area. */
  readonly scatterBase: number;
  /** `undefined` for a fresh buffer, `null` for address-only. */
  readonly arena: Arena | null | undefined;
  /** Normalised, for comparing a snapshot's options with these. */
  readonly virtualBase: number | "identity";
}

/** Allocation constraints after validation. 0 and the limits below mean "none". */
export interface Constraints {
  alignment: number;
  boundary: number;
  highest: number;
  /** -1 for any. */
  node: number;
  /** -1 for none. */
  preferredNode: number;
  contiguous: boolean;
  tag: number;
}

/** Frames of a group: blocks are placed by them. */
const GROUP_FRAMES = 64;
const GIB = 2 ** 30;
/** How many zones a core may have. */
export const MAX_ZONES: number = 64;
const MAX_FRAME = 2 ** 20;

function refuse(field: string, value: unknown, unit: string, rule: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} ${rule}, got ${describeValue(value)}`, { field, value, unit });
}

/** An integer from `least` to `most`, or `INVALID_ARGUMENT`. */
export function integer(field: string, value: unknown, least: number, most: number, unit: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
    refuse(field, value, unit, `must be an integer from ${least} to ${most} ${unit}`);
  return value;
}

/** True for 1, 2, 4, ... up to 2^52. */
export function isPowerOfTwo(value: number): boolean {
  // Above 2^30 a power of two is one of its 2^30ths too.
  const part = value > 2 ** 30 ? value / 2 ** 30 : value;
  return value > 0 && value <= ADDRESS_LIMIT && Number.isInteger(part) && (part & (part - 1)) === 0;
}

function powerOfTwo(field: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !isPowerOfTwo(value) || value < least || value > most)
    refuse(field, value, "bytes", `must be a power of two from ${least} to ${most} bytes`);
  return value;
}

/** A length in bytes: an integer from 1 to 2^32 - 1, or `INVALID_ARGUMENT`. */
export function lengthOfRequest(value: unknown, field = "lengthBytes"): number {
  return integer(field, value, 1, 0xffffffff, "bytes");
}

/** An address from 0 to 2^52 - 1, or `INVALID_ARGUMENT`. */
export function address(value: unknown, field = "address"): number {
  if (!isAddress(value)) refuse(field, value, "address", "must be an integer from 0 to 2^52 - 1");
  return value;
}

/** A range of `lengthBytes` from `start`: the length at least 1, the end at most 2^52, or `INVALID_ARGUMENT`. */
export function range(start: unknown, lengthBytes: unknown): void {
  const first = address(start);
  integer("lengthBytes", lengthBytes, 1, ADDRESS_LIMIT - first, "bytes");
}

function refuseKey(field: string, name: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} has the unknown key ${JSON.stringify(name)}`, {
    field: `${field}.${name}`,
    value: name,
    unit: "key",
  });
}

/**
 * The own properties of an options object, each read once. `INVALID_ARGUMENT` for what is no object and for
 * a key that is not in `keys`; an error thrown by a getter passes through.
 */
export function readOptions<K extends string>(
  field: string,
  value: unknown,
  keys: readonly K[],
): Partial<Record<K, unknown>> {
  if (typeof value !== "object" || value === null) refuse(field, value, "options", "must be an object");
  const read: Partial<Record<K, unknown>> = Object.create(null) as Partial<Record<K, unknown>>;
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key !== "string" || !(keys as readonly string[]).includes(key)) {
      refuseKey(field, key.toString());
    }
    read[key as K] = (value as Record<string, unknown>)[key];
  }
  return read;
}

const HIGHEST_ADDRESS = ADDRESS_LIMIT - 1;

/** No constraint at all. */
export const UNCONSTRAINED: Readonly<Constraints> = {
  alignment: 1,
  boundary: ADDRESS_LIMIT,
  highest: HIGHEST_ADDRESS,
  node: -1,
  preferredNode: -1,
  contiguous: true,
  tag: 0,
};

/** Validate the options of one allocation, into a fresh object. */
export function constraintsOf(options: AllocateOptions | undefined, plan: CorePlan): Constraints {
  const constraints = { ...UNCONSTRAINED };
  if (options !== undefined) readConstraints(options, plan, constraints);
  return constraints;
}

const isOwn = Object.prototype.hasOwnProperty;

/**
 * Validate the options of one allocation into `into`, each of them read once, without making an object: it costs more than
 * the allocation otherwise. False where nothing but the tag is asked for. `into` holds nothing of use where this throws.
 */
export function readConstraints(options: AllocateOptions, plan: CorePlan, into: Constraints): boolean {
  if (typeof options !== "object" || options === null) refuse("options", options, "options", "must be an object");
  let alignment: unknown;
  let boundary: unknown;
  let highest: unknown;
  let node: unknown;
  let preferredNode: unknown;
  let contiguous: unknown;
  let tag: unknown;
  for (const key in options) {
    if (!isOwn.call(options, key)) continue;
    switch (key) {
      case "alignment":
        alignment = options.alignment;
        break;
      case "boundary":
        boundary = options.boundary;
        break;
      case "highest":
        highest = options.highest;
        break;
      case "node":
        node = options.node;
        break;
      case "preferredNode":
        preferredNode = options.preferredNode;
        break;
      case "contiguous":
        contiguous = options.contiguous;
        break;
      case "tag":
        tag = options.tag;
        break;
      default:
        refuseKey("options", key);
    }
  }
  into.tag = tag === undefined ? 0 : tagOf(tag, plan, "options.tag");
  const constrained =
    alignment !== undefined ||
    boundary !== undefined ||
    highest !== undefined ||
    node !== undefined ||
    preferredNode !== undefined ||
    contiguous !== undefined;
  if (!constrained) return false;
  if (contiguous !== undefined && typeof contiguous !== "boolean")
    refuse("options.contiguous", contiguous, "boolean", "must be true or false");
  into.alignment =
    alignment === undefined ? 1 : powerOfTwo("options.alignment", alignment, 1, floorPowerOfTwo(plan.totalBytes));
  into.boundary = boundary === undefined ? ADDRESS_LIMIT : powerOfTwo("options.boundary", boundary, 1, ADDRESS_LIMIT);
  into.highest = highest === undefined ? HIGHEST_ADDRESS : address(highest, "options.highest");
  into.node = node === undefined ? -1 : integer("options.node", node, 0, 65535, "node");
  into.preferredNode =
    preferredNode === undefined ? -1 : integer("options.preferredNode", preferredNode, 0, 65535, "node");
  into.contiguous = contiguous !== false;
  return true;
}

/** A tag: 0 to 2^32 - 1, on a core that keeps tags. */
export function tagOf(tag: unknown, plan: CorePlan, field = "tag"): number {
  if (!plan.tags) refuse(field, tag, "tag", "needs a core opened with tags: true");
  return integer(field, tag, 0, 0xffffffff, "tag");
}

/** log2 of a power of two up to 2^52. `Math.log2` is not the same to the last bit on every engine. */
export function exponentOf(power: number): number {
  let exponent = 0;
  for (let value = 1; value < power; value *= 2) exponent += 1;
  return exponent;
}

/** The largest power of two at or below a positive integer up to 2^52. */
export function floorPowerOfTwo(value: number): number {
  let power = 1;
  while (power * 2 <= value) power *= 2;
  return power;
}

/** The least value at or above `from` that is congruent to `to` modulo 2^32. */
function congruent(from: number, to: number): number {
  const modulus = 2 ** 32;
  const gap = (((to - from) % modulus) + modulus) % modulus;
  return from + gap;
}

/** A window that the host chose: positive, and congruent to its zone modulo a group and 64 KiB. */
function windowOf(value: unknown, field: string, base: number, frameSize: number): number {
  const window = address(value, field);
  const modulus = Math.max(GROUP_FRAMES * frameSize, 65_536);
  if (window === 0 || Math.abs(window - base) % modulus !== 0)
    refuse(field, window, "address", `must be positive and congruent to the zone's base modulo ${modulus}`);
  return window;
}

function ceilTo(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

const CORE_KEYS = ["zones", "frameSize", "virtualBase", "arena", "tags"] as const;
const ZONE_KEYS = ["base", "size", "node", "arenaOffset", "virtualBase"] as const;

/** Validate the options of a core and lay out its virtual windows. */
export function planCore(options: CoreOptions): CorePlan {
  const given = readOptions("options", options, CORE_KEYS);
  const frameSize = given.frameSize === undefined ? 4096 : powerOfTwo("frameSize", given.frameSize, 64, MAX_FRAME);
  if (given.tags !== undefined && typeof given.tags !== "boolean")
    refuse("tags", given.tags, "boolean", "must be true or false");
  const virtualBase =
    given.virtualBase === undefined || given.virtualBase === "identity"
      ? (given.virtualBase ?? 2 ** 46)
      : address(given.virtualBase, "virtualBase");
  if (virtualBase !== "identity" && (virtualBase === 0 || virtualBase % frameSize !== 0))
    refuse("virtualBase", virtualBase, "address", `must be a positive multiple of the frame size ${frameSize}`);
  const list = given.zones;
  if (!Array.isArray(list) || list.length < 1 || list.length > MAX_ZONES)
    refuse("zones", Array.isArray(list) ? list.length : list, "zones", `must be an array of 1 to ${MAX_ZONES} zones`);

  const zones: ZonePlan[] = [];
  let arenaEnd = 0;
  let windowFrom = virtualBase === "identity" ? 0 : virtualBase;
  for (let i = 0; i < list.length; i++) {
    const name = `zones[${i}]`;
    const zone = readOptions(name, list[i], ZONE_KEYS);
    const base = integer(`${name}.base`, zone.base, frameSize, ADDRESS_LIMIT - frameSize, "address");
    if (base % frameSize !== 0) refuse(`${name}.base`, base, "address", `must be a multiple of ${frameSize}`);
    const size = integer(`${name}.size`, zone.size, frameSize, ADDRESS_LIMIT - base, "bytes");
    if (size % frameSize !== 0) refuse(`${name}.size`, size, "bytes", `must be a multiple of ${frameSize}`);
    const node = zone.node === undefined ? 0 : integer(`${name}.node`, zone.node, 0, 65535, "node");
    const arenaOffset =
      zone.arenaOffset === undefined
        ? arenaEnd
        : integer(`${name}.arenaOffset`, zone.arenaOffset, 0, ADDRESS_LIMIT - size, "bytes");
    arenaEnd = arenaOffset + size;
    const window =
      zone.virtualBase !== undefined
        ? windowOf(zone.virtualBase, `${name}.virtualBase`, base, frameSize)
        : virtualBase === "identity"
          ? base
          : congruent(windowFrom, base);
    if (window + size > ADDRESS_LIMIT)
      refuse("virtualBase", virtualBase, "address", `leaves no room below 2^52 for the window of ${name}`);
    windowFrom = window + size + GIB;
    for (let k = 0; k < i; k++) {
      const other = zones[k] as ZonePlan;
      if (base < other.base + other.size && other.base < base + size)
        refuse(`${name}.base`, base, "address", `overlaps zones[${k}] (${hex(other.base)}, ${other.size} bytes)`);
      if (window < other.window + other.size && other.window < window + size)
        refuse(`${name}.virtualBase`, window, "address", `overlaps the window of zones[${k}] (${hex(other.window)})`);
      if (arenaOffset < other.arenaOffset + other.size && other.arenaOffset < arenaOffset + size)
        refuse(`${name}.arenaOffset`, arenaOffset, "bytes", `overlaps the arena bytes of zones[${k}]`);
    }
    zones.push({ base, size, node, arenaOffset, window });
  }
  const highestWindow = zones.reduce((end, zone) => Math.max(end, zone.window + zone.size), 0);
  const behind = ceilTo(highestWindow + GIB, GIB);
  return {
    zones,
    frameSize,
    tags: given.tags === true,
    totalBytes: zones.reduce((sum, zone) => sum + zone.size, 0),
    arenaBytes: zones.reduce((end, zone) => Math.max(end, zone.arenaOffset + zone.size), 0),
    scatterBase: virtualBase === "identity" ? Math.max(2 ** 46, behind) : behind,
    arena: arenaOf(given.arena),
    virtualBase,
  };
}

/** What an arena option is, by shape; its length is checked where the bytes are first looked at. */
function arenaOf(arena: unknown): Arena | null | undefined {
  if (arena === undefined || arena === null) return arena;
  const shape = Object.prototype.toString.call(arena);
  if (shape === "[object ArrayBuffer]" || shape === "[object SharedArrayBuffer]") return arena as ArrayBuffer;
  if (arena instanceof Uint8Array) return arena;
  if (shape === "[object WebAssembly.Memory]") return arena as { readonly buffer: ArrayBuffer };
  return refuse(
    "arena",
    arena,
    "arena",
    "must be an ArrayBuffer, SharedArrayBuffer, Uint8Array, WebAssembly.Memory or null",
  );
}
