/**
 * NDIS_STATUS: the status values of the shared-memory family.
 *
 * A status is a signed 32-bit integer, as in the header: failures are negative. The type is branded, so that a driver
 * that returns a bare 0, or a boolean, does not compile. Values: `ntstatus.h` and `ndis/status.h` of the published headers.
 */

declare const statusBrand: unique symbol;

/** A signed 32-bit status value. */
export type NDIS_STATUS = number & { readonly [statusBrand]: true };

function status(value: number): NDIS_STATUS {
  return (value | 0) as NDIS_STATUS;
}

export const NDIS_STATUS_SUCCESS: NDIS_STATUS = status(0x00000000);
export const NDIS_STATUS_PENDING: NDIS_STATUS = status(0x00000103);
export const NDIS_STATUS_NOT_ACCEPTED: NDIS_STATUS = status(0x00010003);
export const NDIS_STATUS_HARD_ERRORS: NDIS_STATUS = status(0x80010004);
export const NDIS_STATUS_FAILURE: NDIS_STATUS = status(0xc0000001);
export const NDIS_STATUS_INVALID_PARAMETER: NDIS_STATUS = status(0xc000000d);
export const NDIS_STATUS_INVALID_DEVICE_REQUEST: NDIS_STATUS = status(0xc0000010);
export const NDIS_STATUS_RESOURCES: NDIS_STATUS = status(0xc000009a);
export const NDIS_STATUS_NOT_SUPPORTED: NDIS_STATUS = status(0xc00000bb);
export const NDIS_STATUS_INVALID_STATE: NDIS_STATUS = status(0xc0000184);
export const NDIS_STATUS_CLOSING: NDIS_STATUS = status(0xc0010002);
export const NDIS_STATUS_BAD_VERSION: NDIS_STATUS = status(0xc0010004);
export const NDIS_STATUS_BAD_CHARACTERISTICS: NDIS_STATUS = status(0xc0010005);
export const NDIS_STATUS_DEVICE_FAILED: NDIS_STATUS = status(0xc0010008);
export const NDIS_STATUS_REQUEST_ABORTED: NDIS_STATUS = status(0xc001000c);
export const NDIS_STATUS_INVALID_LENGTH: NDIS_STATUS = status(0xc0010014);
export const NDIS_STATUS_INVALID_DATA: NDIS_STATUS = status(0xc0010015);
export const NDIS_STATUS_BUFFER_TOO_SHORT: NDIS_STATUS = status(0xc0010016);
export const NDIS_STATUS_RESOURCE_CONFLICT: NDIS_STATUS = status(0xc001001e);
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
