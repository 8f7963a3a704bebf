/**
 * DMA_WIDTH and DMA_SPEED: how a channel of the system's DMA controller is programmed. Source: `wdm.h` of the published
 * headers.
 */

/** DMA_WIDTH: 8 bits at a time. */
export const Width8Bits = 0;
/** DMA_WIDTH: 16 bits at a time. */
export const Width16Bits = 1;
/** DMA_WIDTH: 32 bits at a time. */
export const Width32Bits = 2;
/** DMA_WIDTH: 64 bits at a time. */
export const Width64Bits = 3;
/** DMA_WIDTH: without wrapping. */
export const WidthNoWrap = 4;
/** One more than the last DMA_WIDTH: no width itself. */
export const MaximumDmaWidth = 5;

/** DMA_SPEED: compatible timing. */
export const Compatible = 0;
/** DMA_SPEED: type A timing. */
export const TypeA = 1;
/** DMA_SPEED: type B timing. */
export const TypeB = 2;
/** DMA_SPEED: type C timing. */
export const TypeC = 3;
/** DMA_SPEED: type F timing. */
export const TypeF = 4;
/** One more than the last DMA_SPEED: no speed itself. */
export const MaximumDmaSpeed = 5;
