/** OID requests of the upper layer while they are with a driver in C. */
import type { CAdapter, Session } from "./session.js";

/** A request is answered: its memory goes back. False where there is no such request. */
export function completeRequest(session: Session, adapter: CAdapter, request: number): boolean {
  const known = adapter.requests.get(request);
  if (known === undefined) return false;
  adapter.requests.delete(request);
  for (const address of [request, known.buffer]) {
    const block = session.pool.blocks.get(address);
    if (block !== undefined && block.freed === null) session.pool.free(block, session.c.stack());
  }
  return true;
}
