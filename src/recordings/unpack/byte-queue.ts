/** Bytes that come in pieces, taken in lengths that the reader chooses. Holds no more than it was asked for and one piece. */
export class ByteQueue {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #ended = false;
  /** Bytes taken so far. */
  taken = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** Bytes that are there now. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** Wait until `count` bytes are there; false where the source ended before. */
  async fill(count: number): Promise<boolean> {
    while (this.length < count && !this.#ended) {
      const { done, value } = await this.#pieces.next();
      if (done === true) this.#ended = true;
      else if (this.length === 0) {
        this.#bytes = value;
        this.#at = 0;
      } else {
        const joined = new Uint8Array(this.length + value.length);
        joined.set(this.#bytes.subarray(this.#at));
        joined.set(value, this.length);
        this.#bytes = joined;
        this.#at = 0;
      }
    }
    return this.length >= count;
  }

  /** The next `count` bytes, which stay. */
  peek(count: number): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + count);
  }

  /** The next `count` bytes, which must be there. */
  take(count: number): Uint8Array {
    const bytes = this.peek(count);
    this.#at += bytes.length;
    this.taken += bytes.length;
    return bytes;
  }

  /** Everything from here on, piece by piece. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.fill(1)) yield this.take(this.length);
  }
}
