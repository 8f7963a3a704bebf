/** The front door of the device room. */
export * from "./i8255x.js";
export type { ReceivingDevice } from "./receiving-device.js";
