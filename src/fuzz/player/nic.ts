/** An adapter of a scenario, with the device behind it and the upper layer before it. */
import type { Adapter } from "../../machine/index.js";
import { UpperLayer } from "../../run/upper-layer.js";
import type { FuzzDevice } from "../subjects/subject.js";

/** See the head of this file. */
export class Nic {
  adapter!: Adapter;
  device!: FuzzDevice;
  readonly upper: UpperLayer = new UpperLayer();
  /** Frames that the device did not take, since the last look. */
  lost = 0;
  /** A lifecycle call is on its way. */
  busy = true;
  wantsHalt = false;
  removed = false;
  shutDown = false;
  givenUp = 0;
}
