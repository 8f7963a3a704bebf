/**
 * Call sites: the two calls into the core that programs make one at a time, each with several call sites.
 *
 *     core     1st      2nd      3rd      4th      5th      ...
 *     site     0        1        2        3        0
 *              wasm.free wasm.free ...             shares the site of the first
 *
 * An engine that has seen one function at a call site calls it directly: 3 ns for a function of an instance. At a site
 * that has seen the functions of two instances it goes through a wrapper, for 10 ns, and never comes back. So the sites
 * below are the same text several times, and cores take them by turns: a program with up to four cores pays for none.
 */
import type { CoreExports } from "./wasm.js";

/** How many call sites there are. */
const SITES = 4;

let taken = 0;

/** The call sites of the next core: 0 to 3. */
export function nextCallSite(): number {
  const site = taken;
  taken = (taken + 1) % SITES;
  return site;
}

/** `wasm.allocate(lengthBytes)`: the first frame, as an i32, or 0. */
export function callAllocate(site: number, wasm: CoreExports, lengthBytes: number): number {
  switch (site) {
    case 0:
      return wasm.allocate(lengthBytes);
    case 1:
      return wasm.allocate(lengthBytes);
    case 2:
      return wasm.allocate(lengthBytes);
    default:
      return wasm.allocate(lengthBytes);
  }
}

/** `wasm.free(frame, lengthBytes)`: 0, or why not. */
export function callFree(site: number, wasm: CoreExports, frame: number, lengthBytes: number): number {
  switch (site) {
    case 0:
      return wasm.free(frame, lengthBytes);
    case 1:
      return wasm.free(frame, lengthBytes);
    case 2:
      return wasm.free(frame, lengthBytes);
    default:
      return wasm.free(frame, lengthBytes);
  }
}
