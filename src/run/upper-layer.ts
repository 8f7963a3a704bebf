/**
 * UpperLayer: the protocols above the driver, as far as they matter to memory.
 *
 * They do two things. They compare every frame that is indicated, byte for byte, with the one that the wire put into the
 * device; and they keep frames for a while, as a socket's reader does, which is why a driver runs out of receive frames
 * at all.
 *
 * The wire keeps order, and so must the driver. Expected frames wait in a queue; an indicated frame is compared with its
 * head. If it equals a later one, those between were lost on the way (`lost`), which a driver must have said; if it
 * equals none, it is a mismatch.
 */

/** Frames ahead in the queue that a lost one may have been skipped to. */
const LOOK_AHEAD = 256;

export class UpperLayer {
  readonly #expected: Uint8Array[] = [];
  // Of this layer and no other's: a view keeps its buffer, which may be all the memory of a machine.
  readonly #wire: Words = new Words();
  readonly #memory: Words = new Words();
  #head = 0;
  delivered = 0;
  deliveredBytes = 0;
  mismatched = 0;
  /** Frames that the driver neither indicated nor said it dropped. */
  lost = 0;

  /** The device took a frame from the wire. The bytes must stay as they are. */
  expect(frame: Uint8Array): void {
    this.#expected.push(frame);
  }

  /** The driver handed a frame up. */
  indicated(bytes: Uint8Array): void {
    const end = Math.min(this.#expected.length, this.#head + LOOK_AHEAD);
    for (let index = this.#head; index < end; index += 1) {
      if (!sameBytes(this.#expected[index] as Uint8Array, this.#wire, bytes, this.#memory)) continue;
      this.lost += index - this.#head;
      this.#moveTo(index + 1);
      this.delivered += 1;
      this.deliveredBytes += bytes.length;
      return;
    }
    // Wrong bytes stand for the frame that was due; with none due, the frame is one too many.
    this.mismatched += 1;
    if (this.#head < this.#expected.length) {
      this.#moveTo(this.#head + 1);
      this.delivered += 1;
      this.deliveredBytes += bytes.length;
    }
  }

  /** The driver said that it gave the next frame up. */
  givenUp(): void {
    if (this.#head < this.#expected.length) this.#moveTo(this.#head + 1);
  }

  /** Nothing comes any more: what is still expected is lost. */
  close(): void {
    this.lost += this.#expected.length - this.#head;
    this.#moveTo(this.#expected.length);
  }

  #moveTo(head: number): void {
    this.#head = head;
    if (head >= 1024 && head * 2 >= this.#expected.length) {
      this.#expected.splice(0, head);
      this.#head = 0;
    }
  }
}

/** A view of the buffer that was looked at last: frames come from one, and what drivers indicate lies in another. */
class Words {
  #buffer: ArrayBufferLike | null = null;
  #view: DataView | null = null;

  of(bytes: Uint8Array): DataView {
    const { buffer } = bytes;
    const known = this.#view;
    if (known !== null && buffer === this.#buffer && known.byteLength === buffer.byteLength) return known;
    const view = new DataView(buffer);
    this.#buffer = buffer;
    this.#view = view;
    return view;
  }
}

/** Four bytes at a time, wherever they begin: byte by byte takes three times as long. */
function sameBytes(one: Uint8Array, wire: Words, other: Uint8Array, memory: Words): boolean {
  const { length } = one;
  if (length !== other.length) return false;
  const whole = length - (length % 4);
  if (whole > 0) {
    const left = wire.of(one);
    const right = memory.of(other);
    const { byteOffset: from } = one;
    const { byteOffset: to } = other;
    for (let at = 0; at < whole; at += 4) if (left.getInt32(from + at) !== right.getInt32(to + at)) return false;
  }
  for (let at = whole; at < length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}
