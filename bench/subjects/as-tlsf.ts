/**
 * The subject `as-tlsf`: the allocator of AssemblyScript's runtime, in-band, as every managed AssemblyScript program has it.
 *
 * Out of memory is a trap there, which costs microseconds in the host and none of them is the allocator's. So it is timed
 * with an arena that may grow to twice its size as it must, which is to its advantage, and its failures are counted apart, in an
 * arena that may not.
 */
import { type Allocator, type InsideExports, loopOf, pagesFor, WasmReplayer } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";
import { instantiateSubject } from "./assets.js";
import type { Place, Subject } from "./subject.js";

type TlsfModule = InsideExports & {
  heapBase(): number;
  begin(withhold: number): void;
  allocate(bytes: number): number;
  free(address: number): void;
};

const NAME = "as-tlsf";
const WASM_PAGE = 65536;
/** What the runtime keeps at the start of its heap (ROOT_SIZE of AssemblyScript's std/assembly/rt/tlsf.ts, rounded up). */
const ROOT_BYTES = 1600;

interface Limits {
  /** Pages that the opener takes at once, for operations and slots. */
  readonly spare: number;
  /** May the runtime help itself to more arena when it is out of memory? */
  readonly grows: boolean;
}

/** The allocator over an arena of so many bytes. */
function open(arenaBytes: number, { spare, grows }: Limits): TlsfModule {
  const abort = (): never => {
    throw new Error("the AssemblyScript runtime aborted");
  };
  // A first instance only says where the heap begins.
  const probe = instantiateSubject<TlsfModule>(NAME, {
    env: { memory: new WebAssembly.Memory({ initial: 1 }), abort },
  });
  const needed = probe.heapBase() + ROOT_BYTES + arenaBytes;
  const pages = Math.ceil(needed / WASM_PAGE);
  // The runtime first tries to double its memory, which this limit prevents, and then takes as little as will do.
  const growth = grows ? pages + spare - 1 : 0;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages + spare + growth });
  const wasm = instantiateSubject<TlsfModule>(NAME, { env: { memory, abort } });
  const surplus = pages * WASM_PAGE - needed;
  wasm.begin(surplus & ~15);
  return wasm;
}

export const asTlsf: Subject = {
  name: NAME,
  summary: "AssemblyScript's runtime allocator (TLSF)",

  openInside(workload: Workload): WasmReplayer {
    return new WasmReplayer(
      loopOf(open(workload.arenaBytes, { spare: pagesFor(workload), grows: true }), true),
      workload,
    );
  },

  openStrict(workload: Workload): WasmReplayer {
    return new WasmReplayer(
      loopOf(open(workload.arenaBytes, { spare: pagesFor(workload), grows: false }), true),
      workload,
    );
  },

  openAcross({ arenaBytes }: Place): Allocator {
    const { allocate, free } = open(arenaBytes, { spare: 0, grows: true });
    return {
      allocate(lengthBytes) {
        try {
          return allocate(lengthBytes);
        } catch (error) {
          if (error instanceof WebAssembly.RuntimeError) return 0; // even twice the arena was not enough
          throw error;
        }
      },
      free,
    };
  },
};
