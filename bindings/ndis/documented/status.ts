/**
 * NDIS_STATUS: the status values of the shared-memory family.
 *
 * A status is a signed 32-bit integer, as in the header: failures are negative. The type is branded, so that a driver
 * that returns a bare 0, or a boolean, does not compile. Values: `ntstatus.h` and `ndis/status.h` of the published headers.
 */

declare const statusBrand: unique symbol;

/** A signed 32-bit status value. */
export type NDIS_STATUS = number & {
  /** For the compiler alone: no such property exists. */
  readonly [statusBrand]: true;
};

function status(value: number): NDIS_STATUS {
  return (value | 0) as NDIS_STATUS;
}

/** 0x00000000: the call succeeded. */
export const NDIS_STATUS_SUCCESS: NDIS_STATUS = status(0x00000000);
/** 0x00000103: the call goes on, and a completion follows. */
export const NDIS_STATUS_PENDING: NDIS_STATUS = status(0x00000103);
/** 0x00010003: what was handed over is not wanted. From MiniportInitializeEx: no initialization. */
export const NDIS_STATUS_NOT_ACCEPTED: NDIS_STATUS = status(0x00010003);
/** 0x80010004: the adapter has hardware errors. */
export const NDIS_STATUS_HARD_ERRORS: NDIS_STATUS = status(0x80010004);
/** 0xc0000001: the call failed for a reason that has no status of its own. */
export const NDIS_STATUS_FAILURE: NDIS_STATUS = status(0xc0000001);
/** 0xc000000d: a parameter is none of those allowed. */
export const NDIS_STATUS_INVALID_PARAMETER: NDIS_STATUS = status(0xc000000d);
/** 0xc0000010: the device does not know the request. */
export const NDIS_STATUS_INVALID_DEVICE_REQUEST: NDIS_STATUS = status(0xc0000010);
/** 0xc000009a: memory, or another resource, has run out. */
export const NDIS_STATUS_RESOURCES: NDIS_STATUS = status(0xc000009a);
/** 0xc00000bb: the call is not supported in this way. */
export const NDIS_STATUS_NOT_SUPPORTED: NDIS_STATUS = status(0xc00000bb);
/** 0xc0000184: the adapter is in another state than the call demands. */
export const NDIS_STATUS_INVALID_STATE: NDIS_STATUS = status(0xc0000184);
/** 0xc0010002: what the call is about is being closed. */
export const NDIS_STATUS_CLOSING: NDIS_STATUS = status(0xc0010002);
/** 0xc0010004: a version, or the revision of a header, that NDIS does not know. */
export const NDIS_STATUS_BAD_VERSION: NDIS_STATUS = status(0xc0010004);
/** 0xc0010005: characteristics without a handler that is demanded, or with a header of another structure. */
export const NDIS_STATUS_BAD_CHARACTERISTICS: NDIS_STATUS = status(0xc0010005);
/** 0xc0010008: the device failed. */
export const NDIS_STATUS_DEVICE_FAILED: NDIS_STATUS = status(0xc0010008);
/** 0xc001000c: the request was abandoned. */
export const NDIS_STATUS_REQUEST_ABORTED: NDIS_STATUS = status(0xc001000c);
/** 0xc0010014: a length is none of those allowed. */
export const NDIS_STATUS_INVALID_LENGTH: NDIS_STATUS = status(0xc0010014);
/** 0xc0010015: data are none of those allowed. */
export const NDIS_STATUS_INVALID_DATA: NDIS_STATUS = status(0xc0010015);
/** 0xc0010016: the buffer is too small; how large it must be is written. */
export const NDIS_STATUS_BUFFER_TOO_SHORT: NDIS_STATUS = status(0xc0010016);
/** 0xc001001e: somebody else has the resource. */
export const NDIS_STATUS_RESOURCE_CONFLICT: NDIS_STATUS = status(0xc001001e);
/** 0xc023002a: the adapter, or a module above it, is paused. */
export const NDIS_STATUS_PAUSED: NDIS_STATUS = status(0xc023002a);

const NAMES: ReadonlyMap<number, string> = new Map<number, string>([
  [NDIS_STATUS_SUCCESS, "SUCCESS"],
  [NDIS_STATUS_PENDING, "PENDING"],
  [NDIS_STATUS_NOT_ACCEPTED, "NOT_ACCEPTED"],
  [NDIS_STATUS_HARD_ERRORS, "HARD_ERRORS"],
  [NDIS_STATUS_FAILURE, "FAILURE"],
  [NDIS_STATUS_INVALID_PARAMETER, "INVALID_PARAMETER"],
  [NDIS_STATUS_INVALID_DEVICE_REQUEST, "INVALID_DEVICE_REQUEST"],
  [NDIS_STATUS_RESOURCES, "RESOURCES"],
  [NDIS_STATUS_NOT_SUPPORTED, "NOT_SUPPORTED"],
  [NDIS_STATUS_INVALID_STATE, "INVALID_STATE"],
  [NDIS_STATUS_CLOSING, "CLOSING"],
  [NDIS_STATUS_BAD_VERSION, "BAD_VERSION"],
  [NDIS_STATUS_BAD_CHARACTERISTICS, "BAD_CHARACTERISTICS"],
  [NDIS_STATUS_DEVICE_FAILED, "DEVICE_FAILED"],
  [NDIS_STATUS_REQUEST_ABORTED, "REQUEST_ABORTED"],
  [NDIS_STATUS_INVALID_LENGTH, "INVALID_LENGTH"],
  [NDIS_STATUS_INVALID_DATA, "INVALID_DATA"],
  [NDIS_STATUS_BUFFER_TOO_SHORT, "BUFFER_TOO_SHORT"],
  [NDIS_STATUS_RESOURCE_CONFLICT, "RESOURCE_CONFLICT"],
  [NDIS_STATUS_PAUSED, "PAUSED"],
]);

/** The documented name without its prefix (`PENDING`), or the value in hexadecimal. For logs and messages. */
export function statusName(value: number): string {
  return NAMES.get(value) ?? `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
