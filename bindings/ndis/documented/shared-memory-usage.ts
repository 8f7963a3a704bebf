/**
 * NDIS_SHARED_MEMORY_USAGE: what a block of the NDIS 6.20 pair is used for. Source: the page of the enumeration.
 */

/** Usage of a 6.20 block: none. */
export const NdisSharedMemoryUsageUndefined = 0;
/** Usage of a 6.20 block: transmit. */
export const NdisSharedMemoryUsageXmit = 1;
/** Usage of a 6.20 block: transmit, headers. */
export const NdisSharedMemoryUsageXmitHeader = 2;
/** Usage of a 6.20 block: transmit, data behind the headers. */
export const NdisSharedMemoryUsageXmitData = 3;
/** Usage of a 6.20 block: receive. */
export const NdisSharedMemoryUsageReceive = 4;
/** Usage of a 6.20 block: receive, look-ahead part of a frame. */
export const NdisSharedMemoryUsageReceiveLookahead = 5;
/** Usage of a 6.20 block: receive, what follows the look-ahead part. */
export const NdisSharedMemoryUsageReceivePostLookahead = 6;
/** Usage of a 6.20 block: receive, headers. */
export const NdisSharedMemoryUsageReceiveHeader = 7;
/** Usage of a 6.20 block: receive, data behind the headers. */
export const NdisSharedMemoryUsageReceiveData = 8;
/** Usage of a 6.20 block: anything else. */
export const NdisSharedMemoryUsageOther = 9;
/** Usage of a 6.20 block: one more than the last usage: no usage itself. */
export const NdisSharedMemoryUsageMax = 10;
/** What a 6.20 block is used for. */
export type NDIS_SHARED_MEMORY_USAGE = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
