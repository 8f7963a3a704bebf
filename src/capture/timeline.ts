/**
 * Timeline: from the recorder's stamps to nanoseconds after the first frame, which never go back.
 *
 * A stamp is whole seconds and the nanoseconds beyond them, because nanoseconds since 1970 do not fit a double exactly. Only
 * differences are multiplied. Small steps back (frames of two queues, interleaved) are moved to their predecessor; a large
 * step, either way, is a clock that was set or a pause in the recording, and moves the origin instead, so that one wrong
 * stamp does not swallow the time of every frame behind it.
 */
import { MAX_DISORDER_NS, MAX_GAP_NS } from "./frame.js";
import type { Tally } from "./tally.js";

const NS_PER_SECOND = 1_000_000_000;
/** Beyond it, gaps are cut to nothing: a time stays a safe integer whatever a file says. */
const LAST_NS: number = Number.MAX_SAFE_INTEGER - MAX_GAP_NS;

export class Timeline {
  readonly #tally: Tally;
  #originSeconds = 0;
  #originNs = 0;
  #started = false;
  #previousNs = 0;
  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** The time of the frame before. */
  get previousNs(): number {
    return this.#previousNs;
  }

  /** The time of a frame with this stamp; `ns` may be a second or more. */
  at(seconds: number, ns: number): number {
    if (!this.#started) {
      this.#started = true;
      this.#originSeconds = seconds;
      this.#originNs = ns;
    }
    const elapsed = seconds - this.#originSeconds;
    // Exact where it is a safe integer; where it is not, it is a large step, and only its sign counts.
    const timeNs = elapsed * NS_PER_SECOND + (ns - this.#originNs);
    const gap = timeNs - this.#previousNs;
    if (gap >= 0 && gap <= MAX_GAP_NS && timeNs <= LAST_NS) {
      this.#previousNs = timeNs;
    } else if (gap < 0 && gap >= -MAX_DISORDER_NS) {
      this.#tally.mend("stamp-before-predecessor");
    } else {
      this.#tally.mend(gap < 0 ? "clock-set-back" : "gap-shortened");
      if (gap > 0 && this.#previousNs < LAST_NS - MAX_GAP_NS) this.#previousNs += MAX_GAP_NS;
      // The origin becomes the moment at which this frame would have been at `previousNs`.
      const whole = Math.floor(this.#previousNs / NS_PER_SECOND);
      this.#originSeconds = seconds - whole;
      this.#originNs = ns - (this.#previousNs - whole * NS_PER_SECOND);
    }
    return this.#previousNs;
  }
}
