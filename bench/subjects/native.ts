/** The native peers, where bench/native/build.sh has built them: allocators in C that are called malloc and free. */
import { existsSync, readFileSync } from "node:fs";
import { type Allocator, pagesFor, WasmReplayer } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";
import { assetPath } from "./assets.js";
import type { Place, Subject } from "./subject.js";

type NativeModule = {
  heapBase(): number;
  begin(arenaBytes: number): void;
  failures(): number;
  replay(ops: number, from: number, to: number, slots: number): void;
  lifo(bytes: number, pairs: number): number;
  allocate(bytes: number): number;
  free(address: number, bytes: number): void;
};

const NATIVE: Readonly<Record<string, string>> = {
  dlmalloc: "dlmalloc of Emscripten, in C",
  emmalloc: "emmalloc of Emscripten, in C",
};

const WASM_PAGE = 65536;

function open(module: WebAssembly.Module, arenaBytes: number, spare: number): [NativeModule, WebAssembly.Memory] {
  // A first instance only says where the heap begins.
  const probe = new WebAssembly.Instance(module, {
    env: { memory: new WebAssembly.Memory({ initial: 2, maximum: 65536 }) },
  });
  const base = (probe.exports as unknown as NativeModule).heapBase();
  const pages = Math.ceil((base + arenaBytes) / WASM_PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages + spare });
  const wasm = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as NativeModule;
  wasm.begin(arenaBytes);
  return [wasm, memory];
}

/** Those that are built. */
export function nativeSubjects(): readonly Subject[] {
  return Object.entries(NATIVE).flatMap(([name, summary]): Subject[] => {
    const path = assetPath("build", "native", `${name}.wasm`);
    if (!existsSync(path)) return [];
    let compiled: WebAssembly.Module | undefined;
    const module = (): WebAssembly.Module => {
      compiled ??= new WebAssembly.Module(readFileSync(path));
      return compiled;
    };
    return [
      {
        name,
        summary,
        openInside(workload: Workload): WasmReplayer {
          const [wasm, memory] = open(module(), workload.arenaBytes, pagesFor(workload));
          const { replay, lifo, failures } = wasm;
          // Its loop clears its count itself, and it never traps.
          return new WasmReplayer({ memory, replay, lifo, failures, clearFailures() {} }, workload);
        },
        openAcross({ arenaBytes }: Place): Allocator {
          const [{ allocate, free }] = open(module(), arenaBytes, 0);
          return { allocate, free };
        },
      },
    ];
  });
}
