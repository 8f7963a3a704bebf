/**
 * Attributes and alignment: what MiniportInitializeEx tells NDIS about its adapter, and what it may ask.
 */

import { describeValue } from "../../values.js";
import type { AdapterHandle } from "../documented/handles.js";
import {
  type NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
  type NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
} from "../documented/miniport.js";
import {
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
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
import { adapterOf, headerIsKnown, requireAtMostDispatch, requirePassive } from "../verifier/checks.js";

/**
 * Tell NDIS about the adapter: registration attributes first, then the others. PASSIVE_LEVEL, from MiniportInitializeEx.
 *
 * SUCCESS, or BAD_VERSION for a header that NDIS does not know (choice C1). Violations: WRONG_IRQL, WRONG_CONTEXT
 * (outside initialize, or registration attributes not first), and those of every handle.
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
  const type = attributes?.Header?.Type;
  if (type === NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES) {
    const size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    if (!headerIsKnown(reporter, attributes.Header, [size, size])) return NDIS_STATUS_BAD_VERSION;
    if (adapter.state !== INITIALIZING || adapter.attributes !== null) {
      reporter.violate(adapter, {
        rule: "AttributesInInitialize",
        code: "WRONG_CONTEXT",
        call,
        message:
          adapter.attributes === null
            ? `registration attributes are set in MiniportInitializeEx, not while the adapter is ${stateName(adapter.state)}`
            : "the registration attributes are already set",
      });
      return NDIS_STATUS_FAILURE;
    }
    const given = attributes as NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    adapter.attributes = given;
    adapter.context = given.MiniportAdapterContext;
    return NDIS_STATUS_SUCCESS;
  }
  if (type === NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES || isLaterAttributes(type)) {
    if (adapter.attributes === null) {
      reporter.violate(adapter, {
        rule: "AttributesInInitialize",
        code: "WRONG_CONTEXT",
        call,
        message: "the registration attributes come first",
      });
      return NDIS_STATUS_FAILURE;
    }
    return NDIS_STATUS_SUCCESS;
  }
  reporter.violate(adapter, {
    rule: "ObjectHeader",
    code: "INVALID_ARGUMENT",
    call,
    message: `Header.Type ${describeValue(type)} is none of the attribute structures`,
    field: "Header.Type",
    value: type,
    basis: "documented",
    bugCheck: bugChecks.badObjectHeader(adapter, Number(type) || 0, Number(attributes?.Header?.Revision) || 0),
  });
  return NDIS_STATUS_FAILURE;
}

/** Offload, 802.11, hardware assist and add-device attributes: accepted unread. */
function isLaterAttributes(type: unknown): boolean {
  return typeof type === "number" && type >= 0xa0 && type <= 0xa5;
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
