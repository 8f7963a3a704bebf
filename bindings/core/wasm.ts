/**
 * The seam: the only file that touches the core's exports.
 *
 * It describes the exports with types, compiles the release module once per process and makes instances. The loader
 * wraps every export in a closure, which costs about 10 ns where a call site sees two instances; so the exports are taken
 * from the instance itself and called as they are.
 *
 * u32 results arrive signed: every caller says `>>> 0` where the number can pass 2^31.
 */
import { instantiateSync } from "@assemblyscript/loader";
import { ShmemError } from "../errors.js";
import { auditBytes, releaseBytes } from "../generated/wasm.js";

/** Frame numbers, lengths and codes are u32, addresses f64; see assembly/index.ts and the files it names. */
export type CoreExports = {
  readonly memory: CoreMemory;
  openCore(frameShift: number, zoneCount: number, flags: number, scatterBase: number): number;
  openZone(base: number, size: number, node: number, window: number): number;
  openMemory(): number;
  metadataBytes(): number;
  allocate(lengthBytes: number): number;
  noteFailure(): void;
  freeScattered(group: number): void;
  longestBlock(): number;
  free(frame: number, lengthBytes: number): number;
  freeAny(frame: number, lengthBytes: number): number;
  freeTagged(frame: number, lengthBytes: number, tag: number): number;
  holder(frame: number): number;
  inspect(frame: number): number;
  sizeOf(frame: number): number;
  tagOf(frame: number): number;
  beginFree(frame: number): number;
  abortFree(frame: number, lengthBytes: number): void;
  commitFree(frame: number, lengthBytes: number): void;
  mappingAt(virtual: number): number;
  mappingAtPhysical(physical: number): number;
  meeting(virtual: number, bytes: number): number;
  meetingPhysical(physical: number, bytes: number): number;
  reserve(records: number): number;
  insert(
    virtual: number,
    physical: number,
    bytes: number,
    group: number,
    groupBytes: number,
    kind: number,
    tag: number,
  ): void;
  unmapOwner(owner: number): void;
  serve(count: number): number;
  flush(): void;
  cachedBlocks(): number;
};

/** The auditor's exports; see assembly/audit.ts. */
export type AuditExports = {
  digest(): void;
  imageDigest(): void;
  verify(): number;
};

/** The core's linear memory. Spelt out, because declarations must not need the `dom` library for WebAssembly's names. */
export interface CoreMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Bytes of a page of WebAssembly's. */
export const WASM_PAGE: number = 65_536;
/** 4 GiB, all that 32 bits can address. A maximum is what lets several workers share a memory. */
export const MAX_PAGES: number = 65_536;

/** How much linear memory a core may have. */
export interface MemoryLimit {
  /** Pages of 64 KiB, 1 to 65,536. */
  readonly maximumPages?: number;
}

declare const moduleBrand: unique symbol;

/** A compiled build of the core: a `WebAssembly.Module`. */
export interface CoreModule {
  readonly [moduleBrand]: true;
}

let release: CoreModule | undefined;
let audit: CoreModule | undefined;

/** The release build, compiled at the first call. */
export function releaseModule(): CoreModule {
  release ??= compileModule(releaseBytes());
  return release;
}

/** The release build, compiled off the main thread where the host can. */
export async function releaseModuleAsync(): Promise<CoreModule> {
  release ??= (await loaded(() => WebAssembly.compile(releaseBytes())).catch(refuse)) as unknown as CoreModule;
  return release;
}

/** Compile another build of the core, for example the one with asserts. `NO_WASM` where the engine refuses. */
export function compileModule(bytes: Uint8Array<ArrayBuffer>): CoreModule {
  return loaded(() => new WebAssembly.Module(bytes) as unknown as CoreModule);
}

/** No WebAssembly, a page that forbids it, damaged bytes, an import that is not there: the engine's error is the cause. */
function loaded<T>(load: () => T): T {
  try {
    return load();
  } catch (cause) {
    return refuse(cause);
  }
}

function refuse(cause: unknown): never {
  throw new ShmemError("NO_WASM", `cannot load the core: ${cause as string}`, { cause });
}

/** The auditor over the memory of a core. */
export function instantiateAudit(memory: CoreMemory): AuditExports {
  audit ??= compileModule(auditBytes());
  const compiled = audit as unknown as WebAssembly.Module;
  const imports = { env: { memory: memory as unknown as WebAssembly.Memory } };
  return instantiateSync<AuditExports>(compiled, imports).instance.exports as AuditExports;
}

/** Linear memory of so many bytes, rounded up to pages, all zero; undefined where the engine refuses. */
export function makeMemory(bytes: number, maximumPages: number): CoreMemory | undefined {
  try {
    return new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE), maximum: maximumPages });
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    return refuse(error); // there is no WebAssembly
  }
}

/**
 * A fresh instance over a memory; `NO_WASM` where there can be none. The debug build's `abort` throws. A module that
 * imports no memory has its own, so everybody looks at `exports.memory`.
 */
export function instantiate(module: CoreModule, memory: CoreMemory): CoreExports {
  const compiled = module as unknown as WebAssembly.Module;
  return loaded(() => {
    const env = { memory: memory as unknown as WebAssembly.Memory };
    const exports = instantiateSync<CoreExports>(compiled, { env }).instance.exports as CoreExports;
    if (!exports.openCore) throw "it is not the core";
    return exports;
  });
}
