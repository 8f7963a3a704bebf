/**
 * What can be seen of the state that a scenario has left a machine in, as a text: equal texts count as one state.
 *
 * Of the core its image digest, which covers everything that can decide a later answer; of the machine the requests under
 * way and when the next event is due; of each adapter its lifecycle state, its frames with the upper layer and the plain
 * fields of the driver's context. A search that leaves a state once also wants what is armed (`armed`), and the bytes of
 * live blocks, where rings and descriptors lie that driver and device share: a frame that a device has stored and nobody
 * has looked at shows there and nowhere else.
 */
import type { VirtualAddress } from "../../../bindings/index.js";
import type { Adapter, Machine } from "../../machine/index.js";
import type { Decisions } from "./decisions.js";

/** See the head of this file. */
export function fingerprint(
  machine: Machine,
  nics: readonly { readonly adapter: Adapter; readonly busy: boolean }[],
  armed: Decisions | null,
): string {
  const { dispatcher } = machine.environment;
  const due = machine.nextEventNs - machine.nowNs;
  let text = `${machine.core.imageDigest()} ${dispatcher.waiting}/${dispatcher.undelivered} ${due}`;
  for (const { adapter, busy } of nics) {
    const { record, services } = adapter;
    const bytes =
      armed !== null ? ` ${bytesOf(machine, adapter)} ${services.framesOut} ${services.framesIndicated}` : "";
    text += `|${adapter.state}${busy ? "+" : ""} ${record.liveBlocks} ${record.pending} ${shape(record.context, 2)}${bytes}`;
  }
  if (armed === null) return text;
  const { queue, service, synchronous } = armed.armed;
  return `${text}|${queue} ${service} ${synchronous} ${armed.raceNext}`;
}

/** FNV-1a over the bytes of the live blocks of an adapter, in the order of their addresses. */
function bytesOf(machine: Machine, adapter: Adapter): number {
  let hash = 0x811c9dc5;
  for (const { virtual, lengthBytes } of machine.environment.blocks.liveBlocksOf(adapter.record)) {
    const bytes = machine.core.bytes(virtual as VirtualAddress, lengthBytes);
    for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  }
  return hash >>> 0;
}

/** The plain numbers, strings and booleans of an object, some levels deep: what shows of a driver's state. */
function shape(value: unknown, depth: number): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return String(value);
  if (typeof value !== "object" || value === null || depth === 0) return typeof value;
  if (Array.isArray(value)) return `[${value.length}]`;
  let text = "";
  for (const key of Object.keys(value)) {
    const inner = shape((value as Record<string, unknown>)[key], depth - 1);
    text += text === "" ? `${key}:${inner}` : `,${key}:${inner}`;
  }
  return text;
}
