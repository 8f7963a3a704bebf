/** The subject `loop`: no allocator. What its rows cost is what the loop, or the loop and an empty call, cost everywhere. */
import { type Allocator, type InsideExports, loopOf, WasmReplayer } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";
import { instantiateSubject } from "./assets.js";
import type { Subject } from "./subject.js";

type LoopModule = InsideExports & {
  allocate(bytes: number): number;
  free(address: number, bytes: number): number;
};

function open(): LoopModule {
  return instantiateSubject<LoopModule>("loop");
}

export const loop: Subject = {
  name: "loop",
  isEmpty: true,
  summary: "no allocator: the loop, and across the boundary an empty call",

  openInside(workload: Workload): WasmReplayer {
    return new WasmReplayer(loopOf(open()), workload);
  },

  openAcross(): Allocator {
    const { allocate, free } = open();
    return { allocate, free };
  },
};
