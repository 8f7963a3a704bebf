/**
 * Handles as a C driver sees them: integers above all memory, with the kind in them. A number is given once in a session,
 * so a handle that was released is known as such, and one of another kind is told by its name.
 */

export type HandleKind =
  | "driver"
  | "adapter"
  | "dma"
  | "interrupt"
  | "timer"
  | "work item"
  | "net buffer list pool"
  | "net buffer pool"
  | "configuration"
  | "allocation";

const KINDS: readonly HandleKind[] = [
  "driver",
  "adapter",
  "dma",
  "interrupt",
  "timer",
  "work item",
  "net buffer list pool",
  "net buffer pool",
  "configuration",
  "allocation",
];
const FIRST = 0xd0;

interface Entry {
  readonly kind: HandleKind;
  readonly object: unknown;
  live: boolean;
}

export class HandleTable {
  readonly #entries: Entry[] = [];

  /** A new handle for an object. */
  give(kind: HandleKind, object: unknown): number {
    this.#entries.push({ kind, object, live: true });
    return (((FIRST + KINDS.indexOf(kind)) << 24) | (this.#entries.length << 2)) >>> 0;
  }

  release(handle: number): void {
    const entry = this.#entry(handle);
    if (entry !== undefined) entry.live = false;
  }

  /** The object of a live handle of this kind, or what is wrong with the number, in words. */
  find(handle: number, kind: HandleKind): { readonly object: unknown } | string {
    if (handle === 0) return "NULL";
    const entry = this.#entry(handle);
    if (entry === undefined) return `0x${(handle >>> 0).toString(16)}, which is no handle`;
    if (entry.kind !== kind) return `a ${entry.kind} handle`;
    if (!entry.live) return `a ${kind} handle that was released`;
    return entry;
  }

  /** The object behind a number of any kind, live or not; the number itself where it is no handle, null for 0. */
  faceHandle(handle: number): unknown {
    if (handle === 0) return null;
    return this.#entry(handle)?.object ?? handle;
  }

  /** What a number is, in words, where it is a handle. */
  describe(handle: number): string | null {
    const entry = this.#entry(handle);
    return entry === undefined ? null : `a ${entry.kind} handle${entry.live ? "" : " that was released"}`;
  }

  #entry(handle: number): Entry | undefined {
    const kind = (handle >>> 24) - FIRST;
    const entry = this.#entries[((handle & 0xffffff) >>> 2) - 1];
    return entry !== undefined && (handle & 3) === 0 && KINDS[kind] === entry.kind ? entry : undefined;
  }
}
