/**
 * Where zones are seen, found out from the outside.
 */
import * as assert from "uvu/assert";
import type { CoreApi, VirtualAddress, ZoneOptions } from "../../bindings/index.js";
import { GIB } from "./expect.js";

export type { CoreOptions, ShmemError } from "../../bindings/index.js";

/** Fill a fresh core frame by frame and answer, for each zone, the virtual address of its first byte. Frees all again. */
export function windowsOf(core: CoreApi, zones: readonly ZoneOptions[]): number[] {
  const addresses: VirtualAddress[] = [];
  for (;;) {
    const address = core.allocate(core.frameSize);
    if (address === 0) break;
    addresses.push(address);
  }
  const windows = zones.map(({ base, size }) => {
    const window: number = core.virtualOf(base as ReturnType<CoreApi["physicalOf"]>);
    for (let at = 0; at < size; at += core.frameSize) {
      assert.is(
        core.physicalOf((window + at) as VirtualAddress),
        base + at,
        "one window shows the whole zone in order",
      );
    }
    return window;
  });
  core.freeBatch(Float64Array.from(addresses));
  return windows;
}

/** The layout rule of `CoreOptions.virtualBase`: least address that is congruent modulo 2^32, 1 GiB behind the last. */
export function virtualWindowRules(core: CoreApi, zones: readonly ZoneOptions[], virtualBase: number): void {
  let from = virtualBase;
  for (const [i, window] of windowsOf(core, zones).entries()) {
    const { base, size } = zones[i] as ZoneOptions;
    assert.ok(window >= from && window < from + 2 ** 32, `window ${i} is the least that is allowed`);
    assert.is(window % 2 ** 32, base % 2 ** 32, `window ${i} is congruent to its zone`);
    from = window + size + GIB;
  }
}
