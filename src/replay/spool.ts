/**
 * A spool: the operations of a recording, packed into bytes, to be played several times without reading the file again.
 *
 * An operation is one or two varints, about four bytes: `4 * slot + kind`, then the length of an allocation, then the log2 of
 * an alignment. A spool has a limit; beyond it it keeps nothing, and the recording is read anew for every pass. So memory
 * does not depend on the length of a recording.
 */
import type { OperationSink } from "../recordings/index.js";

const ALLOCATE = 0;
const FREE = 1;
/** An allocation with an alignment. */
const ALIGNED = 2;
/** The allocation of a reallocation: the free of the old block follows. */
const REALLOCATE = 3;

const PIECE_BYTES = 2 ** 20;
const LONGEST_OPERATION = 24;

/** Takes the operations of a spool. */
export interface Player {
  /** `moves`: the free that follows is that of the block which this one replaces. */
  allocate(slot: number, bytes: number, alignment: number, moves: boolean): void;
  free(slot: number): void;
}

export class Spool implements OperationSink {
  readonly #limit: number;
  readonly #full: Uint8Array[] = [];
  #piece = new Uint8Array(PIECE_BYTES);
  #at = 0;
  #isFull = false;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** Did everything fit? */
  get isWhole(): boolean {
    return !this.#isFull;
  }

  /** About how many bytes it holds. */
  get bytes(): number {
    return this.#full.length * PIECE_BYTES + this.#at;
  }

  allocate(slot: number, bytes: number, alignment: number, event: { readonly kind: number }): void {
    if (!this.#hasRoom()) return;
    const moves = event.kind === 2;
    this.#varint(4 * slot + (moves ? REALLOCATE : alignment > 1 ? ALIGNED : ALLOCATE));
    this.#varint(bytes);
    if (!moves && alignment > 1) {
      let log2 = 0;
      for (let rest = alignment; rest > 1; rest /= 2) log2++;
      this.#varint(log2);
    }
  }

  free(slot: number): void {
    if (this.#hasRoom()) this.#varint(4 * slot + FREE);
  }

  #hasRoom(): boolean {
    if (this.#isFull) return false;
    if (this.bytes + LONGEST_OPERATION > this.#limit) {
      this.#isFull = true;
      this.#full.length = 0;
      this.#at = 0;
      return false;
    }
    if (this.#at + LONGEST_OPERATION > PIECE_BYTES) {
      this.#full.push(this.#piece.subarray(0, this.#at));
      this.#piece = new Uint8Array(PIECE_BYTES);
      this.#at = 0;
    }
    return true;
  }

  #varint(value: number): void {
    const piece = this.#piece;
    let rest = value;
    while (rest >= 0x80) {
      piece[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    piece[this.#at++] = rest;
  }

  /** Every operation, in order. `player` may end it early by returning true from `stopped`, which is asked now and then. */
  play(player: Player, stopped: () => boolean = () => false): void {
    if (this.#isFull) throw new Error("the spool is not whole");
    for (const piece of [...this.#full, this.#piece.subarray(0, this.#at)]) {
      if (stopped()) return;
      playPiece(piece, player, stopped);
    }
  }
}

const ASKED_EVERY = 1024;

function playPiece(piece: Uint8Array, player: Player, stopped: () => boolean): void {
  let at = 0;
  let left = ASKED_EVERY;
  const varint = (): number => {
    let byte = piece[at++] as number;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let factor = 0x80; ; factor *= 0x80) {
      byte = piece[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < piece.length) {
    const word = varint();
    const kind = word % 4;
    const slot = (word - kind) / 4;
    if (kind === FREE) player.free(slot);
    else {
      const bytes = varint();
      const alignment = kind === ALIGNED ? 2 ** varint() : 0;
      player.allocate(slot, bytes, alignment, kind === REALLOCATE);
    }
    if (--left === 0) {
      left = ASKED_EVERY;
      if (stopped()) return;
    }
  }
}
