/**
 * The frames of a scenario: each of its own bytes, which stay as they are until the scenario is over.
 *
 * They are cut from one store: a buffer for each frame would cost more than all else that a frame costs.
 */
import { putHalfAt } from "../../machine/devices/endian.js";

const LONGEST_FRAME = 1600;
const FRAME_STORE_BYTES = 2 ** 17;

/** Bytes to cut frames from; no two starts look alike for long. */
const PATTERN: Uint8Array = Uint8Array.from(
  { length: LONGEST_FRAME + 4096 },
  (_, i) => (i * 167 + (i >> 8) * 41) & 0xff,
);

export class ScenarioFrames {
  #store: Uint8Array = new Uint8Array(FRAME_STORE_BYTES);
  #end = 0;
  #made = 0;

  /** Another scenario: the frames of the one before are not looked at any more. */
  begin(): void {
    this.#end = 0;
    this.#made = 0;
  }

  /** The next frame, 1,600 bytes at most. Its first two bytes are its number. */
  cut(wantedBytes: number): Uint8Array {
    const lengthBytes = Math.min(wantedBytes, LONGEST_FRAME);
    let at = this.#end;
    if (at + lengthBytes > this.#store.length) {
      this.#store = new Uint8Array(this.#store.length);
      at = 0;
    }
    this.#end = at + lengthBytes;
    const start = (this.#made * 13) % 4096;
    const frame = this.#store.subarray(at, at + lengthBytes);
    frame.set(PATTERN.subarray(start, start + lengthBytes));
    putHalfAt(frame, 0, this.#made);
    this.#made++;
    return frame;
  }
}
