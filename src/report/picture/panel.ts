/** What the parts of the picture have in common. */

/** A part of the picture: SVG whose top left is at 0, and its height in pixels. */
export interface Panel {
  readonly svg: string;
  readonly height: number;
}
