/** Public entry of src/devices: device models. */
export * from "./gve.js";
export * from "./i8255x.js";
export type { ReceivingDevice } from "./receiving-device.js";
export * from "./ring-nic.js";
export * from "./rtl818x.js";
export * from "./virtio-net.js";
