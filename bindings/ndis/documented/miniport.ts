/**
 * The structures of a miniport driver and its adapters: the driver's table, its handlers, and the attributes.
 *
 * Plain objects with the documented field names; byte layouts are in `codec.ts`. Sources: `ndis.h`, and the page of each
 * structure and function type.
 */
import type { AdapterHandle, DriverHandle, DriverObjectHandle } from "./handles.js";
import type { NDIS_OBJECT_HEADER } from "./object-header.js";
import type { NDIS_STATUS } from "./status.js";

/** Revision of NDIS_MINIPORT_DRIVER_CHARACTERISTICS for NDIS 6.0. */
export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 = 1;
/** Revision of NDIS_MINIPORT_DRIVER_CHARACTERISTICS from NDIS 6.1 on: direct OID requests. */
export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 = 2;
/** Revision of NDIS_MINIPORT_DRIVER_CHARACTERISTICS from NDIS 6.80 on: synchronous OID requests. */
export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3 = 3;
/** Bytes on x64 of revision 1 of NDIS_MINIPORT_DRIVER_CHARACTERISTICS: through CancelOidRequestHandler. */
export const NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 = 136;
/** Bytes on x64 of revision 2: through CancelDirectOidRequestHandler. */
export const NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 = 152;
/** Bytes on x64 of revision 3: through SynchronousOidRequestHandler. */
export const NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3 = 160;
/** Revision of NDIS_MINIPORT_INIT_PARAMETERS. */
export const NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1 = 1;
/** Bytes on x64 of NDIS_MINIPORT_INIT_PARAMETERS. */
export const NDIS_SIZEOF_MINIPORT_INIT_PARAMETERS_REVISION_1 = 64;
/** Revision of NDIS_MINIPORT_PAUSE_PARAMETERS. */
export const NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1 = 1;
/** Bytes of NDIS_MINIPORT_PAUSE_PARAMETERS. */
export const NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1 = 12;
/** Revision of NDIS_MINIPORT_RESTART_PARAMETERS. */
export const NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1 = 1;
/** Bytes on x64 of NDIS_MINIPORT_RESTART_PARAMETERS. */
export const NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1 = 20;
/** Revision of NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES for NDIS 6.0. */
export const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 = 1;
/** Revision of NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES from NDIS 6.30 on. */
export const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2 = 2;
/** Bytes on x64 of revision 1 of NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES. */
export const NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 = 28;

/** AttributeFlags: the driver drives a hardware device. */
export const NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE = 0x1;
/** AttributeFlags: the driver has a WDM lower edge. */
export const NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM = 0x2;
/** AttributeFlags: the user need not be warned of a surprise removal. */
export const NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK = 0x4;
/** AttributeFlags: the adapter is not connection-oriented. */
export const NDIS_MINIPORT_ATTRIBUTES_NOT_CO_NDIS = 0x8;
/** AttributeFlags: not to be bound to every connection-oriented protocol. */
export const NDIS_MINIPORT_ATTRIBUTES_DO_NOT_BIND_TO_ALL_CO = 0x10;
/** AttributeFlags: not to be halted before the system suspends. */
export const NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND = 0x20;
/** AttributeFlags: the adapter is a bus master. Demanded for NdisMRegisterScatterGatherDma. */
export const NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER = 0x40;
/** AttributeFlags: the driver controls the default port. */
export const NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT = 0x80;
/** AttributeFlags: not to be paused before the system suspends. */
export const NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND = 0x100;
/** AttributeFlags: OID requests of ports other than the default one are not intercepted. */
export const NDIS_MINIPORT_ATTRIBUTES_NO_OID_INTERCEPT_ON_NONDEFAULT_PORTS = 0x200;
/** AttributeFlags: MiniportShutdownEx is to be called at a bug check too. */
export const NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK = 0x400;

/** HaltAction: the device was disabled. */
export const NdisHaltDeviceDisabled = 0;
/** HaltAction: an instance of the device was removed from the system in an orderly way. */
export const NdisHaltDeviceInstanceDeInitialized = 1;
/** HaltAction: the system goes to a lower power state. */
export const NdisHaltDevicePoweredDown = 2;
/** HaltAction: the device was pulled out. */
export const NdisHaltDeviceSurpriseRemoved = 3;
/** HaltAction: the device failed. */
export const NdisHaltDeviceFailed = 4;
/** HaltAction: NDIS could not finish the initialization after MiniportInitializeEx had succeeded. */
export const NdisHaltDeviceInitializationFailed = 5;
/** HaltAction: the device is stopped, as for a rebalance of resources. */
export const NdisHaltDeviceStopped = 6;
/** HaltAction of MINIPORT_HALT. */
export type NDIS_HALT_ACTION = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** ShutdownAction: the system shuts down. */
export const NdisShutdownPowerOff = 0;
/** ShutdownAction: the system stops with a bug check. */
export const NdisShutdownBugCheck = 1;
/** ShutdownAction of MINIPORT_SHUTDOWN. */
export type NDIS_SHUTDOWN_ACTION = 0 | 1;

/** DRIVER_INITIALIZE: the driver's DriverEntry. PASSIVE_LEVEL. May be asynchronous here (deviation 3). */
export type DRIVER_INITIALIZE = (
  DriverObject: DriverObjectHandle,
  RegistryPath: string,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** What the third argument of MINIPORT_INITIALIZE says. Only the header is filled: a simulated bus has no resource list. */
export interface NDIS_MINIPORT_INIT_PARAMETERS {
  /** Type NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** 0. */
  readonly Flags: number;
}

/** MiniportInitializeEx. PASSIVE_LEVEL. SUCCESS, or NOT_ACCEPTED, RESOURCES, FAILURE with everything released. */
export type MINIPORT_INITIALIZE = (
  NdisMiniportHandle: AdapterHandle,
  MiniportDriverContext: unknown,
  MiniportInitParameters: NDIS_MINIPORT_INIT_PARAMETERS,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** MiniportHaltEx. PASSIVE_LEVEL; may wait. When it is through, nothing may be outstanding. */
export type MINIPORT_HALT = (MiniportAdapterContext: unknown, HaltAction: NDIS_HALT_ACTION) => void | Promise<void>;

/** MiniportShutdownEx. PASSIVE_LEVEL, or HIGH_LEVEL when the action is NdisShutdownBugCheck. Must not free shared memory. */
export type MINIPORT_SHUTDOWN = (MiniportAdapterContext: unknown, ShutdownAction: NDIS_SHUTDOWN_ACTION) => void;

/** MiniportPause. PASSIVE_LEVEL. SUCCESS, or PENDING with NdisMPauseComplete later; a pause cannot fail. */
export type MINIPORT_PAUSE = (
  MiniportAdapterContext: unknown,
  MiniportPauseParameters: NDIS_MINIPORT_PAUSE_PARAMETERS,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** MiniportRestart. PASSIVE_LEVEL. SUCCESS, PENDING with NdisMRestartComplete later, RESOURCES or FAILURE. */
export type MINIPORT_RESTART = (
  MiniportAdapterContext: unknown,
  MiniportRestartParameters: NDIS_MINIPORT_RESTART_PARAMETERS,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** Why and how an adapter is paused: the second argument of MINIPORT_PAUSE. */
export interface NDIS_MINIPORT_PAUSE_PARAMETERS {
  /** Type NDIS_OBJECT_TYPE_DEFAULT. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** 0. */
  readonly Flags: number;
  /** An NDIS_PAUSE_* value; 0 here. */
  readonly PauseReason: number;
}

/** How an adapter is restarted: the second argument of MINIPORT_RESTART. */
export interface NDIS_MINIPORT_RESTART_PARAMETERS {
  /** Type NDIS_OBJECT_TYPE_DEFAULT. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** The restart attributes; NULL here, so that a driver adds none and modifies none. */
  readonly RestartAttributes: null;
  /** 0. */
  readonly Flags: number;
}

/** DRIVER_UNLOAD of a miniport. PASSIVE_LEVEL. */
export type MINIPORT_UNLOAD = (DriverObject: DriverObjectHandle) => void | Promise<void>;

/** SetOptions: runs inside NdisMRegisterMiniportDriver. PASSIVE_LEVEL. */
export type SET_OPTIONS = (NdisDriverHandle: DriverHandle, DriverContext: unknown) => NDIS_STATUS;

/** DevicePnPEventNotify, as far as it matters here: surprise removal. PASSIVE_LEVEL. */
export type MINIPORT_DEVICE_PNP_EVENT_NOTIFY = (
  MiniportAdapterContext: unknown,
  NetDevicePnPEvent: { readonly DevicePnPEvent: number },
) => void;

/** DevicePnPEvent of a surprise removal. */
export const NdisDevicePnPEventSurpriseRemoved = 2;

/** The driver's table. NDIS copies it. Only two entry points are demanded here (deviation 4). */
export interface NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
  /** Type NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** u8: 6. */
  readonly MajorNdisVersion: number;
  /** u8: 0, 1, 20, 30, 40, 50, 51, 60, 70, or 80 to 89. */
  readonly MinorNdisVersion: number;
  /** u8: the driver's own version; not looked at. */
  readonly MajorDriverVersion?: number;
  /** u8: the driver's own version; not looked at. */
  readonly MinorDriverVersion?: number;
  /** u32; not looked at. */
  readonly Flags?: number;
  /** Called inside NdisMRegisterMiniportDriver, for NdisSetOptionalHandlers. */
  readonly SetOptionsHandler?: SET_OPTIONS | null;
  /** MiniportInitializeEx; demanded. */
  readonly InitializeHandlerEx: MINIPORT_INITIALIZE;
  /** MiniportHaltEx; demanded. */
  readonly HaltHandlerEx: MINIPORT_HALT;
  /** The driver's unload routine. */
  readonly UnloadHandler?: MINIPORT_UNLOAD | null;
  /** MiniportPause; absent counts as one that succeeds at once. */
  readonly PauseHandler?: MINIPORT_PAUSE | null;
  /** MiniportRestart; absent counts as one that succeeds at once. */
  readonly RestartHandler?: MINIPORT_RESTART | null;
  /** MiniportDevicePnPEventNotify. */
  readonly DevicePnPEventNotifyHandler?: MINIPORT_DEVICE_PNP_EVENT_NOTIFY | null;
  /** MiniportShutdownEx. */
  readonly ShutdownHandlerEx?: MINIPORT_SHUTDOWN | null;
}

/** Optional handlers of another service than shared memory, told apart by `Header.Type`; accepted and not looked at. */
export interface NDIS_MINIPORT_OPTIONAL_HANDLERS {
  /** Type of one of the structures that NdisSetOptionalHandlers takes from a miniport. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
}

/** InterfaceType of a NIC on an ISA bus: the one bus whose masters claim a DMA channel. */
export const NdisInterfaceIsa = 1;

/** The registration attributes: where NDIS learns the context that every later callback receives. */
export interface NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
  /** Type NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** Given to every later callback of the adapter, by identity, unread. */
  readonly MiniportAdapterContext: unknown;
  /** NDIS_MINIPORT_ATTRIBUTES_*, u32. */
  readonly AttributeFlags: number;
  /** Seconds between calls of MiniportCheckForHangEx, u32; kept, not acted on. */
  readonly CheckForHangTimeInSeconds?: number;
  /** Bus of the adapter; only NdisInterfaceIsa makes a difference. */
  readonly InterfaceType?: number;
}

/** The general attributes, of which shared memory needs nothing: they are accepted and kept. */
export interface NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
  /** Type NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly [field: string]: unknown;
}

/** What NdisMSetMiniportAttributes takes: told apart by `Header.Type`. */
export type NDIS_MINIPORT_ADAPTER_ATTRIBUTES =
  | NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES
  | NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
