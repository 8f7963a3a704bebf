/**
 * Pause and restart completed by the driver: NdisMPauseComplete and NdisMRestartComplete, after a MiniportPause or a
 * MiniportRestart that returned NDIS_STATUS_PENDING.
 */
import { completeTransition } from "../dispatch/lifecycle.js";
import type { AdapterHandle } from "../documented/handles.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import type { AdapterRecord, Transition } from "../records/adapter.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { adapterOf, refuseArgument, requireAtMostDispatch } from "../verifier/checks.js";

/**
 * The pause is complete: the adapter is Paused when the call returns. Up to DISPATCH_LEVEL, once for each MiniportPause that
 * returned PENDING; it may come before that return.
 *
 * Violations: WRONG_IRQL (0xE6/13), WRONG_CONTEXT (0x7C/1F/1: no pause is under way), and those of every handle.
 */
export function NdisMPauseComplete(MiniportAdapterHandle: AdapterHandle): void {
  const call = "NdisMPauseComplete";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return;
  const transition = transitionOf(adapter, "pause", call);
  if (transition !== null) complete(adapter, transition, NDIS_STATUS_SUCCESS, call);
}

/** What NdisMRestartComplete may be told. Source: its page. */
const STATUSES: readonly NDIS_STATUS[] = [NDIS_STATUS_SUCCESS, NDIS_STATUS_RESOURCES, NDIS_STATUS_FAILURE];

/**
 * The restart is complete: with SUCCESS the adapter is Running when the call returns, with RESOURCES or FAILURE it is
 * Paused. Up to DISPATCH_LEVEL, once for each MiniportRestart that returned PENDING; it may come before that return.
 *
 * Violations: WRONG_IRQL (0xE6/13), WRONG_CONTEXT (0x7C/1F/2: no restart is under way), INVALID_ARGUMENT (another
 * status: the restart stays under way), and those of every handle.
 */
export function NdisMRestartComplete(MiniportAdapterHandle: AdapterHandle, Status: NDIS_STATUS): void {
  const call = "NdisMRestartComplete";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return;
  const transition = transitionOf(adapter, "restart", call);
  if (transition === null) return;
  if (!STATUSES.includes(Status)) {
    const rule = `must be ${STATUSES.map(statusName).join(", ")}`;
    refuseArgument(adapter.machine.reporter, adapter, call, "Status", Status, rule, "status");
    return;
  }
  complete(adapter, transition, Status, call);
}

/** The transition of a kind that waits for its completion; null after the violation. */
function transitionOf(adapter: AdapterRecord, kind: Transition["kind"], call: string): Transition | null {
  const { reporter } = adapter.machine;
  if (!requireAtMostDispatch(reporter, adapter, call)) return null;
  const { transition } = adapter;
  if (transition !== null && transition.kind === kind && transition.status === null) return transition;
  reporter.violate(adapter, {
    rule: "TransitionIsPending",
    code: "WRONG_CONTEXT",
    call,
    message: `${call} was called and no ${kind} of ${adapter.name} is under way`,
    basis: "documented",
    bugCheck: bugChecks.illegalTransition(adapter, kind === "pause" ? 1 : 2),
  });
  return null;
}

function complete(adapter: AdapterRecord, transition: Transition, status: NDIS_STATUS, call: string): void {
  const { reporter } = adapter.machine;
  if (reporter.log !== null) reporter.note(adapter, `${call} ${statusName(status)}`);
  completeTransition(adapter, transition, status);
}
