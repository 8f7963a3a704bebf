/**
 * DMA registrations come and go: what holds when an adapter gets one, and when it gives one back.
 *
 * Scatter/gather DMA, DMA channels and the NDIS 5 call register through here, and so they share the rules: the place
 * (choice C36), and that nothing of a registration is live when it ends (choices C4 and C10).
 */
import { ADDRESS_LIMIT } from "../../addresses.js";
import { type AdapterRecord, HALTING, INITIALIZING, stateName } from "../records/adapter.js";
import type { DmaRecord } from "../records/dma.js";
import { DmaHandle } from "../records/handles.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { counted, listBlocks, listRequests } from "../verifier/wording.js";
import { environmentOf } from "./environment.js";

/** The adapter has a registration from now on. Its device reaches 64-bit addresses, or no byte at or above 4 GiB. */
export function registerDma(adapter: AdapterRecord, dma: DmaRecord): void {
  adapter.highest = dma.addresses64 ? ADDRESS_LIMIT - 1 : 2 ** 32 - 1;
  dma.handle = DmaHandle.make(adapter, dma);
  adapter.dma = dma;
}

/** The registration is over: its handle is released. */
export function endRegistration(adapter: AdapterRecord, dma: DmaRecord): void {
  dma.released = true;
  adapter.dma = null;
}

/** After the attributes, in initialize; later is choice C36. */
export function isRightPlace(adapter: AdapterRecord, call: string): boolean {
  const { machine, state } = adapter;
  const { reporter } = machine;
  if (adapter.attributes === null) {
    reporter.violate(adapter, {
      rule: "NdisMRegisterIoPortRange",
      code: "WRONG_CONTEXT",
      call,
      message: "NdisMSetMiniportAttributes comes before anything that claims DMA",
      basis: "documented",
    });
    return false;
  }
  if (state === INITIALIZING) return true;
  const warned = state < HALTING && reporter.choices.registrationAfterInitialize === "warn";
  reporter.violate(adapter, {
    rule: "RegisterDmaInInitialize",
    code: "WRONG_CONTEXT",
    call,
    message: `DMA is registered in MiniportInitializeEx; the adapter is ${stateName(state)}`,
    severity: warned ? "warning" : "violation",
  });
  return warned;
}

/** Requests, blocks and lists of a registration that is to go: false after the first of them was raised (choices C4, C10). */
export function nothingIsLive(adapter: AdapterRecord, dma: DmaRecord, call: string): boolean {
  const environment = environmentOf(adapter.machine);
  const { reporter } = environment;
  if (adapter.pending > 0) {
    if (environment.choices.pendingAtHalt === "violation") {
      reporter.violate(adapter, {
        rule: "NothingPendingAtRelease",
        code: "PENDING_AT_RELEASE",
        call,
        message: `${counted(adapter.pending, "asynchronous request")} still pending: ${listRequests(environment.dispatcher.requestsOf(adapter))}`,
        value: adapter.pending,
        unit: "requests",
      });
      return false;
    }
    environment.dispatcher.drop(adapter);
  }
  if (adapter.liveBlocks > 0) {
    reporter.violate(adapter, {
      rule: "NothingLiveAtRelease",
      code: "LEAK_AT_RELEASE",
      call,
      message: `${counted(adapter.liveBlocks, "block")} of ${counted(adapter.liveBytes, "byte")} still allocated: ${listBlocks(environment.blocks.liveBlocksOf(adapter))}`,
      value: adapter.liveBlocks,
      unit: "blocks",
      bugCheck: bugChecks.blocksOutstanding(adapter, adapter.liveBlocks),
    });
    return false;
  }
  if (dma.lists.size > 0) {
    reporter.violate(adapter, {
      rule: "NothingLiveAtRelease",
      code: "LEAK_AT_RELEASE",
      call,
      message: `${counted(dma.lists.size, "scatter/gather list")} not freed`,
      value: dma.lists.size,
      unit: "lists",
      bugCheck: bugChecks.listsOutstanding(adapter, dma.lists.size),
    });
    return false;
  }
  return true;
}
