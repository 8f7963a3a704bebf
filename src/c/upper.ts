/**
 * The upper layer of a C driver: it sends packets, asks questions (OIDs), resets, and asks whether the adapter hangs.
 *
 * What it does when is drawn from the scenario's `variant`, which the driver's settings carry, and happens as events of
 * the machine. A plan is finite: an adapter that runs comes to rest.
 */
import { type MachineTimer, NDIS_STATUS_PENDING, RUNNING } from "../../bindings/index.js";
import { Prng } from "../machine/index.js";
import { OURS } from "./pool.js";
import { completeRequest } from "./requests.js";
import type { CAdapter, Session } from "./session.js";

/** Setting by which a driver's user, or the fuzzer, chooses the plan: a number; absent, none. */
export const UPPER_LAYER_SETTING = "upperLayer";

const QUERIES = [0x00010114, 0x00020106, 0x01010102, 0x0001010e, 0x00010107, 0x00020101, 0x01010104, 0xfd010100];
const OID_GEN_CURRENT_PACKET_FILTER = 0x0001010e;
const OID_802_3_MULTICAST_LIST = 0x01010103;
const MOST_ACTIONS = 6;
const UPPER_STREAM = 21;
const LENGTHS = [60, 64, 590, 1514];

export class UpperProtocol {
  readonly #session: Session;
  readonly #adapter: CAdapter;
  readonly #timers: MachineTimer[] = [];
  #stopped = false;

  constructor(session: Session, adapter: CAdapter) {
    this.#session = session;
    this.#adapter = adapter;
  }

  /** The adapter runs. */
  start(): void {
    const { services } = this.#adapter;
    const seed = services.settings[UPPER_LAYER_SETTING];
    const { SendNetBufferListsHandler: send, OidRequestHandler: oid, ResetHandlerEx: reset } = this.#session.handlers;
    if (typeof seed !== "number" || seed === 0 || ((send ?? 0) | (oid ?? 0) | (reset ?? 0)) === 0) return;
    const draw = new Prng(seed, UPPER_STREAM);
    const count = draw.below(MOST_ACTIONS + 1);
    let at = 0;
    for (let k = 0; k < count; k++) {
      at += draw.below(3) === 0 ? 0 : draw.below(400_000);
      const kind = draw.below(10);
      const word = draw.next();
      const timer = services.createTimer(() => (kind < 5 ? this.#send(word) : this.#atPassive(kind, word)));
      timer.set(at);
      this.#timers.push(timer);
    }
  }

  stop(): void {
    this.#stopped = true;
    // They are the adapter's as far as NDIS can see: none may be set when it is halted.
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  get #runs(): boolean {
    return !this.#stopped && !this.#session.dead && this.#adapter.record.state === RUNNING;
  }

  /** A packet, at DISPATCH_LEVEL. */
  #send(word: number): void {
    const session = this.#session;
    const adapter = this.#adapter;
    const handler = session.handlers.SendNetBufferListsHandler ?? 0;
    if (handler === 0 || !this.#runs) return;
    const length = LENGTHS[word % LENGTHS.length] as number;
    const list = session.pool.allocate(session.c.plain("nshm_packet_size", length), 0, OURS, -1, []);
    if (list === 0) return;
    const data = session.c.plain("nshm_make_packet", list, length);
    for (let k = 0; k < length; k++) session.c.u8[data + k] = (word + k) & 0xff;
    adapter.sends.set(list, []);
    session.run(adapter, "MiniportSendNetBufferLists", session.c.tableFunction(handler), [adapter.context, list, 0, 1]);
  }

  #atPassive(kind: number, word: number): void {
    if (!this.#runs) return;
    this.#adapter.services.queueWorkItem(() => {
      if (!this.#runs) return undefined;
      if (kind === 9) return this.#reset();
      return this.#request(kind === 8, word);
    });
  }

  #request(set: boolean, word: number): void | Promise<void> {
    const session = this.#session;
    const adapter = this.#adapter;
    const handler = session.handlers.OidRequestHandler ?? 0;
    if (handler === 0) return undefined;
    const oid = set
      ? (word & 1) === 0
        ? OID_GEN_CURRENT_PACKET_FILTER
        : OID_802_3_MULTICAST_LIST
      : (QUERIES[word % QUERIES.length] as number);
    const length = set
      ? oid === OID_802_3_MULTICAST_LIST
        ? 6 * ((word >>> 3) & 3)
        : 4
      : ([4, 0, 2, 256][(word >>> 3) & 3] ?? 4);
    const buffer = session.pool.allocate(Math.max(1, length), 0, OURS, -1, []);
    const request = session.pool.allocate(session.c.plain("nshm_request_size"), 0, OURS, -1, []);
    if (request === 0 || buffer === 0) return undefined;
    session.c.unpoison(buffer, length);
    if (set) session.c.u8.fill(length === 4 ? 0x0b : 0x01, buffer, buffer + length);
    session.c.plain("nshm_make_request", request, set ? 1 : 0, oid | 0, buffer, length);
    adapter.requests.set(request, { oid, size: length, buffer });
    const done = (status: number): void => {
      if ((status | 0) === NDIS_STATUS_PENDING || session.dead) return;
      if (!completeRequest(session, adapter, request)) {
        session.violate(adapter, {
          rule: "OidIsCompletedOnce",
          code: "ALREADY_FREED",
          call: "MiniportOidRequest",
          message:
            "the request was completed by NdisMOidRequestComplete, and the handler did not return NDIS_STATUS_PENDING",
          basis: "documented",
        });
      }
    };
    const answer = session.runPassive(adapter, "MiniportOidRequest", session.c.tableFunction(handler), [
      adapter.context,
      request,
    ]);
    return typeof answer === "number" ? done(answer) : answer.then(done);
  }

  #reset(): void | Promise<void> {
    const session = this.#session;
    const adapter = this.#adapter;
    const handler = session.handlers.ResetHandlerEx ?? 0;
    const hang = session.handlers.CheckForHangHandlerEx ?? 0;
    if (hang !== 0) session.run(adapter, "MiniportCheckForHangEx", session.c.tableFunction(hang), [adapter.context]);
    if (handler === 0 || adapter.resetPending || session.dead) return undefined;
    adapter.resetPending = true;
    const done = (status: number): void => {
      if ((status | 0) !== NDIS_STATUS_PENDING) adapter.resetPending = false;
    };
    const answer = session.runPassive(adapter, "MiniportResetEx", session.c.exported("nshm_call_reset"), [
      handler,
      adapter.context,
    ]);
    return typeof answer === "number" ? done(answer) : answer.then(done);
  }
}
