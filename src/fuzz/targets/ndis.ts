/**
 * The NDIS protocol: a scripted driver calls what the bytes say, and a model says what must come of it.
 *
 *     byte   0        1      2         3        4       5 ...
 *            +--------+------+---------+--------+-------+--------
 *            | spare  | kind | adapter | amount | detail| next
 *            +--------+------+---------+--------+-------+--------
 *
 * What the bytes mean and what is compared: ndis-protocol.ts.
 */
import { Core, type CoreApi, type CoreOptions } from "../../../bindings/index.js";
import { Machine } from "../../machine/index.js";
import { Decisions } from "../player/decisions.js";
import { PENDING_LIMIT, ProtocolPlay, ZONE } from "./ndis-protocol.js";
import type { FuzzTarget, TargetEntry } from "./target.js";

const FRAME_BYTES = 4096;

function openNdis(openCore: (options: CoreOptions) => CoreApi & { rewind(snapshot: Uint8Array): void }): FuzzTarget {
  let operations = 0;
  const arena = new ArrayBuffer(ZONE.size);
  const core = openCore({ zones: [ZONE], arena, tags: true });
  const fresh = core.snapshot();
  const decisions = new Decisions();
  const open = Machine.opener({
    zones: [ZONE],
    arena,
    core: () => core,
    schedule: { order: "manual", choose: decisions },
    choices: { policy: "collect", pendingLimit: PENDING_LIMIT },
    batch: 1,
    faults: decisions,
    log: "off",
  });
  return {
    name: ndisTarget.name,
    summary: ndisTarget.summary,
    maxBytes: 1 + 4 * 60,
    unitBytes: 4,
    async play(bytes, log) {
      core.rewind(fresh);
      decisions.begin({ fails: 0 });
      const play = new ProtocolPlay(open(), decisions, log);
      const found = await play.play(bytes);
      operations += play.operations;
      return found;
    },
    get operations() {
      return operations;
    },
  };
}

export const ndisTarget: TargetEntry = {
  name: "ndis",
  summary: "the NDIS protocol: requests, completions, frees and refusals of two adapters, against a model",
  open: () => openNdis((options) => Core.openSync(options)),
  canary: {
    bug: "a block of more than two frames is answered with the address of its second frame",
    open: () =>
      openNdis((options) => {
        const core = Core.openSync(options);
        return new Proxy(core, {
          get: (_, key) => {
            if (key === "allocateWithin")
              return (...asked: Parameters<Core["allocateWithin"]>) => {
                const address = core.allocateWithin(...asked);
                return address !== 0 && asked[0] > 2 * FRAME_BYTES ? address + FRAME_BYTES : address;
              };
            const value: unknown = Reflect.get(core, key, core);
            return typeof value === "function" ? value.bind(core) : value;
          },
        });
      }),
  },
};
