/** Public entry of src/drivers: miniport drivers to run, by name. */

import { Gve, I8255x, type ReceivingDevice, Rtl818x, VirtioNet } from "../devices/index.js";
import type { MiniportDriver } from "../machine/index.js";
import { e100bexBlockKind, e100bexEntry } from "./e100bex.js";
import { gvnicBlockKind, gvnicEntry } from "./gvnic.js";
import { netkvmBlockKind, netkvmEntry } from "./netkvm.js";
import { rtlnwifiBlockKind, rtlnwifiEntry } from "./rtlnwifi.js";

/** What surrounds a device. */
export interface Wire {
  /** Told of every frame that does not reach memory. */
  readonly onDrop: (reason: string) => void;
  /** How long the processor takes to notice an interrupt, nanoseconds. */
  readonly interruptLatencyNs: () => number;
}

/** A driver that `ndis-shmem run` can play, with the device it drives. */
export interface DriverModel extends MiniportDriver {
  /** One line for people. */
  readonly summary: string;
  /** A fresh device at the end of a wire. */
  readonly device: (wire: Wire) => ReceivingDevice;
  /** The device reaches no byte at or above 4 GiB. */
  readonly addressing: 32 | 64;
  /** Bytes of arena in which the default traffic is not short of memory. */
  readonly arenaBytes: number;
  /** What the driver keeps in a block of this length. */
  readonly blockKind: (lengthBytes: number) => string;
}

/** Every driver, by name. */
export const DRIVERS: readonly DriverModel[] = [
  {
    name: "e100bex",
    summary: "Fast Ethernet, 32-bit, one asynchronous request at a time (NDIS 6.0)",
    DriverEntry: e100bexEntry,
    device: (wire) => new I8255x(wire),
    addressing: 32,
    arenaBytes: 1024 * 1024,
    blockKind: e100bexBlockKind,
  },
  {
    name: "rtlnwifi",
    summary: "wireless LAN, 32-bit, a loop of asynchronous requests by the NDIS 5 call (NDIS 6.0)",
    DriverEntry: rtlnwifiEntry,
    device: (wire) => new Rtl818x(wire),
    addressing: 32,
    arenaBytes: 1024 * 1024,
    blockKind: rtlnwifiBlockKind,
  },
  {
    name: "netkvm",
    summary: "virtio, 64-bit, 2,048 blocks of two pages, growth from a thread (NDIS 6.50)",
    DriverEntry: netkvmEntry,
    device: (wire) => new VirtioNet(wire),
    addressing: 64,
    arenaBytes: 24 * 1024 * 1024,
    blockKind: netkvmBlockKind,
  },
  {
    name: "gvnic",
    summary: "virtual NIC, 64-bit, admin queue and page lists, degrades without failing (NDIS 6.0)",
    DriverEntry: gvnicEntry,
    device: (wire) => new Gve(wire),
    addressing: 64,
    arenaBytes: 8 * 1024 * 1024,
    blockKind: gvnicBlockKind,
  },
];

export { type E100bexSettings, e100bexEntry } from "./e100bex.js";
export { gvnicEntry } from "./gvnic.js";
export { netkvmEntry } from "./netkvm.js";
export { rtlnwifiEntry } from "./rtlnwifi.js";
