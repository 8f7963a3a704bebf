/**
 * What a u32 counts. The compiler takes them all for u32; a reader, and the checker of the editor, need not.
 */

/** The number of a frame, one numbering over all zones; 0 is none. */
export type Frame = u32;
/** The number of a group: that of its frames, shifted right by GROUP_SHIFT; 0 is none. */
export type Group = u32;
/** log2 of a number of frames. */
export type Order = u32;
/** The index of a class, 0 to 63, or BLOCK_TREE. */
export type Class = u32;
/** The address of a zone record. */
export type Zone = usize;
/** The address of the record of a stack of cached blocks. */
export type Stack = usize;
