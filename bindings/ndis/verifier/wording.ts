/**
 * Words for reports: counts with their nouns, and lists that name the first few of many.
 */

import type { DroppedRequest } from "../dispatch/dispatcher.js";
import type { LiveBlock } from "../memory/blocks.js";

/** Entries that a list names before it only counts. */
const NAMED = 4;

/** `1 block`, `3 blocks`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Live blocks with where each was allocated. */
export function listBlocks(blocks: readonly LiveBlock[]): string {
  return listed(blocks, ({ virtual, lengthBytes, explain }) => {
    const at = explain.allocatedAt;
    const where = at === undefined ? "" : `, allocated at step ${at.step} by ${at.call}`;
    return `0x${virtual.toString(16)} (${counted(lengthBytes, "byte")}${where})`;
  });
}

/** Requests with where each was made. */
export function listRequests(requests: readonly DroppedRequest[]): string {
  return listed(
    requests,
    ({ sequence, lengthBytes, step }) => `#${sequence} (${lengthBytes} bytes, asked at step ${step})`,
  );
}

function listed<T>(things: readonly T[], inWords: (thing: T) => string): string {
  const named = things.slice(0, NAMED).map(inWords).join(", ");
  return things.length > NAMED ? `${named} and ${things.length - NAMED} more` : named;
}
