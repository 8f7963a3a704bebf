/**
 * Where a thread is that does not return: its stack, and the handler that is running, read through the inspector.
 *
 *     watching thread ── NodeWorker ──► player thread: Debugger.pause ─► call frames, and the player's own word for the call
 *
 * The inspector interrupts a loop that gives no turn to anybody. Where that does not work in time nothing is known, which is
 * said; the scenario is known from shared memory either way.
 */
import { Session } from "node:inspector";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { ownPackage } from "./package.js";

/** Name of the global function of a player thread that says which handler is running. */
export const CALL_PROBE = "__ndisShmemRunningCall";
const PATIENCE_MS = 5000;
const MOST_FRAMES = 12;

/** What is known of a thread that does not return. */
export interface Spin {
  /** The handler, `MiniportInitializeEx` say; empty where it is not known. */
  readonly call: string;
  /** The stack, innermost first: `initialize (/path/driver.mjs:12:3)`. */
  readonly frames: readonly string[];
}

interface Frame {
  readonly callFrameId: string;
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

interface FromWorker {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly callFrames?: readonly Frame[];
    readonly scriptId?: string;
    readonly url?: string;
  };
  readonly result?: { readonly result?: { readonly value?: unknown } };
}

/** Stop a thread where it is, look, and let it go on: it is ended afterwards. */
export function whereIs(worker: Worker): Promise<Spin> {
  const unknown: Spin = { call: "", frames: [] };
  return new Promise((done) => {
    const session = new Session();
    const settle = (spin: Spin): void => {
      clearTimeout(timer);
      session.disconnect();
      done(spin);
    };
    const timer = setTimeout(() => settle(unknown), PATIENCE_MS);
    try {
      session.connect();
      session.on("NodeWorker.attachedToWorker", ({ params }) => {
        // The title has the thread's number: `[worker 3]`, or `[worker 3] name`.
        if (/\[worker (\d+)\]/.exec(params.workerInfo.title)?.[1] !== String(worker.threadId)) return;
        look(session, params.sessionId, settle);
      });
      session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
    } catch {
      settle(unknown); // Without an inspector the engine says nothing.
    }
  });
}

function look(session: Session, sessionId: string, settle: (spin: Spin) => void): void {
  const urls = new Map<string, string>();
  let frames: readonly string[] = [];
  let asked = 0;
  let resumed = 0;
  let call = "";
  let last = 0;
  const send = (method: string, params: object = {}): number => {
    const message = JSON.stringify({ id: ++last, method, params });
    session.post("NodeWorker.sendMessageToWorker", { sessionId, message });
    return last;
  };
  session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
    if (params.sessionId !== sessionId) return;
    const { id, method, params: told, result } = JSON.parse(params.message) as FromWorker;
    if (method === "Debugger.scriptParsed") urls.set(told?.scriptId ?? "", told?.url ?? "");
    else if (method === "Debugger.paused" && asked === 0) {
      const stack = told?.callFrames ?? [];
      const own = join(ownPackage(), "dist");
      frames = stack
        .map((frame) => describeFrame(frame, urls))
        .filter((frame) => !frame.includes(own) && !frame.includes("node:"))
        .slice(0, MOST_FRAMES);
      const callFrameId = stack[0]?.callFrameId;
      if (callFrameId === undefined) resumed = send("Debugger.disable");
      else {
        const expression = `globalThis.${CALL_PROBE}?.() ?? ""`;
        asked = send("Debugger.evaluateOnCallFrame", { callFrameId, expression, returnByValue: true });
      }
    } else if (id !== undefined && id === asked) {
      const value = result?.result?.value;
      call = typeof value === "string" ? value : "";
      // A thread that a debugger holds cannot be ended.
      resumed = send("Debugger.disable");
    } else if (id !== undefined && id === resumed) {
      settle({ call, frames });
    }
  });
  send("Debugger.enable");
  send("Debugger.pause");
}

function describeFrame({ functionName, location }: Frame, urls: ReadonlyMap<string, string>): string {
  const url = urls.get(location.scriptId) ?? "";
  const file = url.startsWith("file:") ? fileURLToPath(url) : url;
  const at = `${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
  return `${functionName === "" ? "(anonymous)" : functionName} (${at})`;
}
