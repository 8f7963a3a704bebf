/** The subject `ndis-shmem`: the core, opened as `Core` opens it. One zone, no tags, address-only, checks on. */
import { Core, type VirtualAddress } from "../../bindings/core/index.js";
import { type Allocator, type InsideExports, loopOf, WasmReplayer } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";
import { instantiateSubject } from "./assets.js";
import type { Place, Subject } from "./subject.js";

/** What the subject's module exports. */
export type CoreModule = InsideExports & {
  openCore(frameShift: number, zoneCount: number, flags: number, scatterBase: number): number;
  openZone(base: number, size: number, node: number, window: number): number;
  openMemory(): number;
  allocate(bytes: number): number;
  virtualOf(frame: number): number;
  translateMany(virtuals: number, physicals: number, count: number): number;
};

/** 4 GiB: aligned for every arena that the bench uses. */
const ZONE_BASE = 2 ** 32;
const WINDOW = 2 ** 46;

/** A fresh core without its TypeScript. */
export function openModule({ arenaBytes, frameSize }: Place): CoreModule {
  const wasm = instantiateSubject<CoreModule>("ndis-shmem");
  const code =
    wasm.openCore(Math.log2(frameSize), 1, 0, 2 ** 47) ||
    wasm.openZone(ZONE_BASE, arenaBytes, 0, WINDOW) ||
    wasm.openMemory();
  if (code !== 0) throw new Error(`the core does not open over ${arenaBytes} bytes: code ${code}`);
  return wasm;
}

export const ndisShmem: Subject = {
  name: "ndis-shmem",
  summary: "this package's core",

  openInside: (workload: Workload): WasmReplayer => new WasmReplayer(loopOf(openModule(workload)), workload),

  openAcross({ arenaBytes, frameSize }: Place): Allocator {
    const core = Core.openSync({ zones: [{ base: ZONE_BASE, size: arenaBytes }], frameSize, arena: null });
    return {
      allocate: (lengthBytes) => core.allocate(lengthBytes),
      free: (address, lengthBytes) => core.free(address as VirtualAddress, lengthBytes),
    };
  },
};
