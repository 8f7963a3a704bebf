/** Drivers in C (`ndis-shmem/c`): load what `ndis-shmem cc` compiled, and run it as any other driver. */
export type { CDevice, CDevicePort, WideDevice } from "./device.js";
export { CDriver, type CDriverOptions, type CMemory, type CWire, deviceOptions, importNames, loadC } from "./driver.js";
export { CAbort } from "./instance.js";
export { SITES_SECTION, type Sites, withCustomSection } from "./module.js";
export type { PciBar, PciDescription } from "./pci.js";
