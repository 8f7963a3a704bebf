/** A device at the end of a wire: what a traffic source needs of it. */
import type { DeviceModel } from "../machine/index.js";

export interface ReceivingDevice extends DeviceModel {
  /** A frame arrives. `wireLengthBytes`: its length on the wire, more than `frame.length` where a recorder cut it. */
  receive(frame: Uint8Array, wireLengthBytes?: number): void;
}
