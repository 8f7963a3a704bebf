/**
 * Attributes and alignment: what MiniportInitializeEx tells NDIS about its adapter, and what it may ask.
 */

import { describeValue } from "../../values.js";
import type { AdapterHandle } from "../documented/handles.js";
import {
  type NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
  type NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 as REGISTRATION_BYTES,
} from "../documented/miniport.js";
import {
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_HARDWARE_ASSIST_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NATIVE_802_11_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_PACKET_DIRECT_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES,
} from "../documented/object-header.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { type AdapterRecord, INITIALIZING, stateName } from "../records/adapter.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { runningCallbacks } from "../verifier/callbacks.js";
import {
  adapterOf,
  headerIsKnown,
  isUnsigned32,
  refuseArgument,
  requireAtMostDispatch,
  requirePassive,
} from "../verifier/checks.js";

/** Attributes that may follow the general ones, with their revisions. Sources: the pages of the structures. */
const LATER_ATTRIBUTES: ReadonlyMap<number, number> = new Map([
  [NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES, 7],
  [NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NATIVE_802_11_ATTRIBUTES, 3],
  [NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_HARDWARE_ASSIST_ATTRIBUTES, 4],
  [NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES, 1],
  [NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_PACKET_DIRECT_ATTRIBUTES, 1],
]);
const GENERAL_REVISIONS = 2;
/** Bytes of an object header: what every structure has at least. */
const HEADER_BYTES = 4;

/**
 * Tell NDIS about the adapter: registration attributes first, then the general ones, then the others. PASSIVE_LEVEL, from
 * MiniportInitializeEx.
 *
 * SUCCESS, or BAD_VERSION for a header that NDIS does not know (choice C1). Violations: WRONG_IRQL, WRONG_CONTEXT
 * (outside initialize, out of order, attributes of MiniportAddDevice, or a driver of NDIS 5), INVALID_ARGUMENT (0x7C/21,
 * no attributes), and those of every handle.
 */
export function NdisMSetMiniportAttributes(
  NdisMiniportHandle: AdapterHandle,
  MiniportAttributes: NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
): NDIS_STATUS {
  const call = "NdisMSetMiniportAttributes";
  const adapter = adapterOf(NdisMiniportHandle, call);
  if (adapter === null) return NDIS_STATUS_FAILURE;
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return NDIS_STATUS_FAILURE;
  const status = setAttributes(adapter, MiniportAttributes, call);
  if (reporter.log !== null) reporter.note(adapter, `${call} -> ${statusName(status)}`);
  return status;
}

function setAttributes(
  adapter: AdapterRecord,
  attributes: NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
  call: string,
): NDIS_STATUS {
  const { reporter } = adapter.machine;
  const header = attributes?.Header;
  const type = header?.Type;
  const revisions = LATER_ATTRIBUTES.get(type);
  const isRegistration = type === NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
  const isGeneral = type === NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
  const isOfAddDevice = type === NDIS_OBJECT_TYPE_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES;
  if (!isRegistration && !isGeneral && !isOfAddDevice && revisions === undefined) {
    reporter.violate(adapter, {
      rule: "ObjectHeader",
      code: "INVALID_ARGUMENT",
      call,
      message: `Header.Type ${describeValue(type)} is none of the attribute structures`,
      field: "Header.Type",
      value: type,
      basis: "documented",
      bugCheck: bugChecks.badObjectHeader(adapter.driver),
    });
    return NDIS_STATUS_FAILURE;
  }
  const misplaced = placeOfAttributes(adapter, isRegistration, isGeneral, isOfAddDevice);
  if (misplaced !== null) {
    reporter.violate(adapter, { rule: "AttributesInInitialize", code: "WRONG_CONTEXT", call, message: misplaced });
    return NDIS_STATUS_FAILURE;
  }
  const sizes = isRegistration
    ? [REGISTRATION_BYTES, REGISTRATION_BYTES]
    : new Array<number>(revisions ?? GENERAL_REVISIONS).fill(HEADER_BYTES);
  if (!headerIsKnown(reporter, header, sizes, isRegistration)) return NDIS_STATUS_BAD_VERSION;
  if (isGeneral) adapter.hasGeneralAttributes = true;
  if (isRegistration) {
    const given = attributes as NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    const { AttributeFlags, MiniportAdapterContext } = given;
    if (!isUnsigned32(AttributeFlags)) {
      refuseArgument(
        reporter,
        adapter,
        call,
        "AttributeFlags",
        AttributeFlags,
        "must be an integer from 0 to 2^32 - 1",
      );
      return NDIS_STATUS_FAILURE;
    }
    // A copy: what the driver does to its structure afterwards changes nothing.
    adapter.attributes = Object.freeze({ ...given, AttributeFlags, MiniportAdapterContext });
    adapter.context = MiniportAdapterContext;
  }
  return NDIS_STATUS_SUCCESS;
}

/** What is wrong with the place of an attributes structure; null where it is right. */
function placeOfAttributes(
  adapter: AdapterRecord,
  isRegistration: boolean,
  isGeneral: boolean,
  isOfAddDevice: boolean,
): string | null {
  if (adapter.driver.ndis5) return "a driver of NDIS 5 calls NdisMSetAttributesEx";
  if (isOfAddDevice) return "these attributes belong to MiniportAddDevice, which a driver does not have here";
  if (adapter.state !== INITIALIZING) {
    return `attributes are set in MiniportInitializeEx, not while the adapter is ${stateName(adapter.state)}`;
  }
  const registered = adapter.attributes !== null;
  if (isRegistration) return registered ? "the registration attributes are already set" : null;
  if (!registered) return "the registration attributes come first";
  return isGeneral || adapter.hasGeneralAttributes ? null : "the general attributes come before these";
}

/** The platform's alignment for device buffers, bytes (choice C11). PASSIVE_LEVEL, after the DMA registration. */
export function NdisMGetDmaAlignment(MiniportAdapterHandle: AdapterHandle): number {
  const call = "NdisMGetDmaAlignment";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return 0;
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return 0;
  if (adapter.dma === null) {
    reporter.violate(adapter, {
      rule: "RegisterBeforeUse",
      code: "NOT_REGISTERED",
      call,
      message: "the alignment is known after NdisMRegisterScatterGatherDma",
    });
    return 0;
  }
  return reporter.choices.dmaAlignment;
}

/** The alignment that keeps data of different processors apart, bytes (choice C11). Up to DISPATCH_LEVEL. */
export function NdisGetSharedDataAlignment(): number {
  const running = runningCallbacks();
  if (running === undefined) return 64;
  const { adapter, reporter } = running;
  reporter.step++;
  return requireAtMostDispatch(reporter, adapter, "NdisGetSharedDataAlignment") ? reporter.choices.dmaAlignment : 0;
}
