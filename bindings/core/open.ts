/**
 * Opening: an instance of the core whose memory has the right size from the start.
 *
 *     plan ─► the sizing instance: how many bytes? ─► a memory of that size ─► the instance that is used
 *
 * Why not let the core grow the memory it starts with: growing detaches the buffer that was there before, and V8 then gives
 * up, for the whole isolate and for good, the assumption that no buffer is ever detached. Every access to every typed array
 * tests for it from then on, 1.5 to 1.8 ns for each allocation and free (docs/performance.md). So nothing is detached by
 * opening, allocating, freeing or translating. Only mapping tables grow later: when `map`, a scattered block or `restore`
 * needs more records than there is room for.
 *
 * How many bytes a plan needs is known to the core alone (assembly/open.ts), and asking takes an instance. One small one
 * for each module is kept for that; it describes zones and never gets the memory for them.
 */
import { ShmemError } from "../errors.js";
import { Layout as L } from "../generated/layout.js";
import { type CorePlan, exponentOf, MAX_ZONES } from "./options.js";
import { CoreViews } from "./views.js";
import { type CoreExports, type CoreMemory, type CoreModule, instantiate, MAX_PAGES, makeMemory } from "./wasm.js";

/** Where the records of so many zones end: all that describing zones writes lies below. */
const zonesEnd = (zones: number): number => L.ZONES + zones * L.ZONE_SIZE;

/** The sizing instances. */
const sizing = new WeakMap<CoreModule, { readonly wasm: CoreExports; readonly views: CoreViews }>();

/** An instance of a module with the zones of a plan, everything free. `INVALID_ARGUMENT` when it needs too much memory. */
export function openWasm(plan: CorePlan, module: CoreModule, maximumPages: number): CoreExports {
  const bytes = metadataBytes(plan, module);
  const memory = bytes > 2 ** 32 ? undefined : makeMemory(bytes, maximumPages);
  if (memory === undefined) refuse(plan, bytes > 2 ** 32 ? L.TOO_MUCH_METADATA : L.NO_MEMORY, bytes);
  const wasm = instantiate(module, memory as CoreMemory);
  describeZones(wasm, plan);
  const code = wasm.openMemory();
  if (code !== L.OK) refuse(plan, code, bytes);
  return wasm;
}

/** Bytes of linear memory that a plan needs. */
function metadataBytes(plan: CorePlan, module: CoreModule): number {
  let one = sizing.get(module);
  if (one === undefined) {
    const wasm = instantiate(module, makeMemory(zonesEnd(MAX_ZONES), MAX_PAGES) as CoreMemory);
    one = { wasm, views: new CoreViews(wasm.memory) };
    sizing.set(module, one);
  }
  one.views.refresh();
  one.views.u8.fill(0, L.HEADER, L.HEADER + L.HEADER_SIZE);
  one.views.u8.fill(0, L.ZONES, zonesEnd(plan.zones.length));
  describeZones(one.wasm, plan);
  return one.wasm.metadataBytes();
}

function describeZones(wasm: CoreExports, plan: CorePlan): void {
  const flags = plan.tags ? L.FLAG_TAGS : 0;
  let code = wasm.openCore(exponentOf(plan.frameSize), plan.zones.length, flags, plan.scatterBase);
  for (const { base, size, node, window } of plan.zones) {
    if (code !== L.OK) break;
    code = wasm.openZone(base, size, node, window);
  }
  if (code !== L.OK) refuse(plan, code, 0);
}

function refuse(plan: CorePlan, code: number, bytes: number): never {
  const frames = plan.totalBytes / plan.frameSize;
  const metadata = `${bytes} bytes of metadata`;
  let reason = "frame numbers are 32 bits";
  if (code === L.TOO_MUCH_METADATA) reason = `memory ends at 4 GiB and they need ${metadata}`;
  if (code === L.NO_MEMORY) reason = `the engine refuses ${metadata}`;
  throw new ShmemError("INVALID_ARGUMENT", `zones hold ${frames} frames, too many: ${reason}`, {
    field: "zones",
    value: frames,
    unit: "frames",
  });
}
