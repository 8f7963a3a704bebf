/**
 * A live block as the judge keeps it: what was asked, where it lies.
 */
import type { Piece } from "./placement.js";

/** One live block. */
export interface JudgeBlock {
  /** What the frames say who holds them; never 0. */
  readonly id: number;
  readonly virtual: number;
  /** As asked for. */
  readonly lengthBytes: number;
  readonly tag: number;
  /** One piece inside a window, or any number behind the windows. */
  readonly pieces: readonly Piece[];
  readonly contiguous: boolean;
}
