/**
 * The frames of one adapter: which were sent, what became of each, and what is wrong with bytes that were indicated.
 *
 *     frame    0          1        2      3         4
 *     became   indicated  dropped  lost   expected  expected         the upper layer (src/run) decides; this keeps the record
 *
 * The upper layer says that bytes were not those that were due. For a finding that is too little: this says which frame
 * they are nearest to, from which offset on they differ, and what was expected there.
 */
import { UpperLayer } from "../../run/upper-layer.js";

type Fate = "expected" | "indicated" | "dropped" | "lost" | "replaced";

/** Frames whose numbers are listed one by one; of more the rest is counted. */
const LISTED = 4;
/** Bytes shown of what differs. */
const SHOWN_BYTES = 4;

/** See the head of this file. */
export class FrameLedger {
  readonly #upper: UpperLayer = new UpperLayer();
  readonly #sent: Uint8Array[] = [];
  readonly #fates: Fate[] = [];
  /** The frame that is due next. */
  #due = 0;
  /** What is wrong with the first bytes that no frame was; empty while nothing is. */
  mismatch = "";
  /** Asked for a line where somebody follows: which frame came, which was indicated. */
  note: ((line: string) => void) | undefined;

  /** Frames that came up. */
  get delivered(): number {
    return this.#upper.delivered;
  }

  /** Frames that the driver neither indicated nor said it dropped. */
  get lost(): number {
    return this.#upper.lost;
  }

  /** The device took a frame from the wire. */
  expect(frame: Uint8Array): void {
    this.note?.(`frame ${this.#sent.length} (${frame.length} bytes) is in the device`);
    this.#sent.push(frame);
    this.#fates.push("expected");
    this.#upper.expect(frame);
  }

  /** The driver handed bytes up. */
  indicated(bytes: Uint8Array): void {
    const upper = this.#upper;
    const { lost, mismatched } = upper;
    upper.indicated(bytes);
    if (upper.mismatched > mismatched) {
      if (this.mismatch === "") this.mismatch = this.#explain(bytes);
      this.note?.(`indicated: ${this.#explain(bytes)}`);
      if (this.#due < this.#sent.length) this.#fates[this.#due++] = "replaced";
      return;
    }
    for (let left = upper.lost - lost; left > 0; left--) this.#fates[this.#due++] = "lost";
    this.note?.(`frame ${this.#due} is indicated`);
    this.#fates[this.#due++] = "indicated";
  }

  /** The driver said that it gave the next frame up. */
  givenUp(): void {
    this.#upper.givenUp();
    if (this.#due >= this.#sent.length) return;
    this.note?.(`frame ${this.#due} is given up`);
    this.#fates[this.#due++] = "dropped";
  }

  /** Nothing comes any more. */
  close(): void {
    this.#upper.close();
    while (this.#due < this.#sent.length) this.#fates[this.#due++] = "lost";
  }

  /** The frames that were lost: `frame 3 (64 bytes), frame 5 (60 bytes) and 2 more`. */
  describeLost(): string {
    const lost = this.#fates.flatMap((fate, index) => (fate === "lost" ? [index] : []));
    const listed = lost.slice(0, LISTED).map((index) => `frame ${index} (${this.#sent[index]?.length} bytes)`);
    return lost.length > LISTED ? `${listed.join(", ")} and ${lost.length - LISTED} more` : listed.join(", ");
  }

  /** What bytes are that no frame is which was due. */
  #explain(bytes: Uint8Array): string {
    const due = this.#sent[this.#due];
    const same = this.#sent.findIndex((frame) => difference(frame, bytes) === -1);
    if (same >= 0) return this.#explainWhole(same);
    // A frame begins with its number, which tells it even where the rest is damaged.
    const number = bytes.length >= 2 ? (bytes[0] as number) | ((bytes[1] as number) << 8) : -1;
    const named = this.#sent[number] === undefined ? this.#due : number;
    const frame = this.#sent[named] ?? due;
    if (frame === undefined)
      return `${bytes.length} bytes that are no frame were indicated (${hexOf(bytes, 0)}), and none was due`;
    const out = named === this.#due ? "" : `, although frame ${this.#due} was due`;
    const title = `frame ${named} (${frame.length} bytes) was indicated wrongly${out}`;
    const at = difference(frame, bytes);
    if (at >= bytes.length) return `${title}: cut to ${bytes.length} bytes`;
    if (at >= frame.length)
      return `${title}: ${bytes.length} bytes, ${bytes.length - frame.length} too many (${hexOf(bytes, at)} from offset ${at})`;
    const source = this.#sourceOf(bytes, at, named);
    const length = bytes.length === frame.length ? "" : `, and ${bytes.length} bytes came`;
    return `${title}: at offset ${at} expected ${hexOf(frame, at)}, got ${hexOf(bytes, at)}${source}${length}`;
  }

  /** The bytes are a whole frame, but not one that was due. */
  #explainWhole(index: number): string {
    const fate = this.#fates[index] as Fate;
    const due = this.#due < this.#sent.length ? `frame ${this.#due} was due` : "none was due";
    const title = `frame ${index} (${this.#sent[index]?.length} bytes)`;
    if (fate === "indicated") return `${title} was indicated a second time; ${due}`;
    if (fate === "dropped") return `${title} was indicated after the driver had given it up; ${due}`;
    if (fate === "lost") return `${title} was indicated out of order, after a later one; ${due}`;
    return `${title} was indicated out of order; ${due}`;
  }

  /** Where the wrong bytes come from, if another frame has them there. */
  #sourceOf(bytes: Uint8Array, at: number, not: number): string {
    const rest = Math.min(bytes.length - at, 16);
    if (rest < SHOWN_BYTES) return "";
    const from = this.#sent.findIndex(
      (frame, index) =>
        index !== not &&
        frame.length >= at + rest &&
        bytes.subarray(at, at + rest).every((b, i) => frame[at + i] === b),
    );
    return from < 0 ? "" : ` (there frame ${from} has those bytes)`;
  }
}

/** The first place where two byte strings differ, which may be the end of the shorter; -1 where they are equal. */
function difference(one: Uint8Array, other: Uint8Array): number {
  const least = Math.min(one.length, other.length);
  for (let at = 0; at < least; at++) if (one[at] !== other[at]) return at;
  return one.length === other.length ? -1 : least;
}

function hexOf(bytes: Uint8Array, at: number): string {
  return Array.from(bytes.subarray(at, at + SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
