/** An adapter of a scenario, with the device behind it and the upper layer before it. */
import type { Adapter } from "../../machine/index.js";
import type { FuzzDevice } from "../subjects/subject.js";
import { FrameLedger } from "./frame-ledger.js";

/** See the head of this file. */
export class Nic {
  adapter!: Adapter;
  device!: FuzzDevice;
  readonly frames: FrameLedger = new FrameLedger();
  /** Frames that the device refused. */
  refused = 0;
  /** Frames that the driver said it gave up. */
  givenUp = 0;
  /** A lifecycle call is under way. */
  busy = true;
  /** To be halted as soon as no call is under way. */
  wantsHalt = false;
  /** The device was pulled out. */
  removed = false;
  /** The machine has shut the adapter down. */
  shutDown = false;
}
