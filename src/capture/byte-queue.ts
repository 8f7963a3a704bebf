/**
 * ByteQueue: the bytes of a file that have arrived and are not used yet.
 *
 * A reader looks at the first n bytes as one view and takes or drops them. Where they lie in one chunk the view is of that
 * chunk, and nothing is copied; where they lie across chunks, only they are put together.
 */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #offset = 0;

  /** Bytes that are there. */
  get length(): number {
    return this.#length;
  }

  /** Where the first of them lies in the file. */
  get offset(): number {
    return this.#offset;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The first `count` bytes, which must be there. They stay. */
  peek(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first === undefined || count <= first.length) return (first ?? new Uint8Array(0)).subarray(0, count);
    const joined = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.#chunks[0] as Uint8Array;
      const part = chunk.subarray(0, count - filled);
      joined.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#chunks.unshift(joined);
    return joined;
  }

  /** Drop up to `count` bytes; returns how many. */
  drop(count: number): number {
    let left = Math.min(count, this.#length);
    const dropped = left;
    while (left > 0) {
      const chunk = this.#chunks[0] as Uint8Array;
      if (chunk.length > left) {
        this.#chunks[0] = chunk.subarray(left);
        left = 0;
      } else {
        this.#chunks.shift();
        left -= chunk.length;
      }
    }
    this.#length -= dropped;
    this.#offset += dropped;
    return dropped;
  }
}
