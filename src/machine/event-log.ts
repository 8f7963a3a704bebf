/**
 * The event log: one line for each call, delivery and change of state, and a digest over all of them.
 *
 * A line is `step time processor level adapter what`. Nothing in it depends on the host: two runs with one seed give the
 * same lines on every engine. `digest` mode keeps no lines, `lines` keeps them, `off` makes none.
 */
import type { EventLog } from "../../bindings/index.js";

export type LogMode = "off" | "digest" | "lines";

export class RunLog implements EventLog {
  readonly lines: string[] = [];
  readonly #keep: boolean;
  #high = 0x6295c58d;
  #low = 0x62b82175;
  #count = 0;

  constructor(mode: "digest" | "lines") {
    this.#keep = mode === "lines";
  }

  /** Lines so far. */
  get count(): number {
    return this.#count;
  }

  line(text: string): void {
    this.#count++;
    if (this.#keep) this.lines.push(text);
    let high = this.#high;
    let low = this.#low;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit ^ (low >>> 15), 0x85ebca6b);
    }
    // A line end of its own, so that "a" "b" differs from "ab".
    this.#low = Math.imul(low ^ 0x0a, 0x01000193);
    this.#high = Math.imul(high ^ (this.#low >>> 13), 0xc2b2ae35);
  }

  /** 16 hex digits over all lines so far. */
  digest(): string {
    return word(this.#high) + word(this.#low);
  }
}

function word(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
