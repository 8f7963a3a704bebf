/** Bugs for e100bex. Each passes `ndis-shmem run` under the default seed. */
import { type DriverHunk, driverChanges, type PlantedBug } from "./planted.js";

function bug(name: string, kind: string, pattern: string, ...hunks: readonly DriverHunk[]): PlantedBug {
  return { name: `e100bex/${name}`, where: "e100bex", kind, pattern, changes: driverChanges(hunks) };
}

export const E100BEX_BUGS: readonly PlantedBug[] = [
  bug("halt-does-not-wait", "halt race", "halt frees everything and forgets the request that is still pending", [
    "halt",
    "while (this.$_references > 0) await this.#services.$wait(this.#released, HALT_ROUND_NS);",
    "",
  ]),
  bug("late-block-is-kept", "leak", "a completion that finds the adapter halting forgets to free what it just got", [
    "#allocated",
    "if (this.$_halting) { this.$_free(block); } else {",
    "if (this.$_halting) { } else {",
  ]),
  bug("late-block-freed-aligned", "address arithmetic", "the late block is freed by its aligned address", [
    "#allocated",
    "if (this.$_halting) { this.$_free(block); } else {",
    "if (this.$_halting) { this.$_free({ ...block, virtual: alignedFrame(block, block).virtual }); } else {",
  ]),
  bug("late-block-freed-short", "wrong length", "the late block is freed with the length of what it is used for", [
    "#allocated",
    "if (this.$_halting) { this.$_free(block); } else {",
    "if (this.$_halting) { this.$_free({ ...block, lengthBytes: lengthBytes - 0x0a }); } else {",
  ]),
  bug("late-block-freed-cached", "wrong flag", "the late block is freed as cached", [
    "#allocated",
    "if (this.$_halting) { this.$_free(block); } else {",
    "if (this.$_halting) { this.$_free({ ...block, cached: true }); } else {",
  ]),
  bug("late-block-freed-twice", "lifetime", "the late block is freed, kept all the same, and freed again", [
    "#allocated",
    "if (this.$_halting) { this.$_free(block); } else {",
    "if (this.$_halting) this.$_free(block); {",
  ]),
  bug("null-keeps-its-reference", "reference counting", "a completion with NULL does not give its reference back", [
    "#allocated",
    "this.$_requestOver($context); if ($virtual === null ||",
    "if ($virtual !== null) this.$_requestOver($context); if ($virtual === null ||",
  ]),
  bug("refusal-keeps-its-reference", "reference counting", "FAILURE at the queue does not give the reference back", [
    "#grow",
    "if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context);",
    "if ($status !== NDIS_STATUS_PENDING) this.#requestPending = false;",
  ]),
  bug(
    "refusal-gives-back-twice",
    "reference counting",
    "FAILURE gives the reference back twice, so that halt waits too little",
    [
      "#grow",
      "if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context);",
      "if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context); if ($status !== NDIS_STATUS_PENDING) this.#dereference();",
    ],
  ),
  bug("fallback-at-dispatch", "level", "FAILURE falls back to the synchronous call, under the lock at DISPATCH_LEVEL", [
    "#grow",
    "if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context);",
    "if ($status !== NDIS_STATUS_PENDING) this.#allocate(RECEIVE_FRAME_BYTES, false); if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context);",
  ]),
  bug(
    "reads-address-before-null",
    "failure path",
    "the physical address is looked at before the virtual one is tested",
    [
      "#allocated",
      "if ($virtual !== null && $physical !== null) { const block: SharedBlock",
      'if (($physical as number).toString(16) !== "0" && $virtual !== null && $physical !== null) { const block: SharedBlock',
    ],
  ),
  bug("failed-start-keeps-blocks", "leak", "a failing initialize does not free what it had", [
    "initialize",
    "this.#services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY); this.$_release();",
    "this.#services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY);",
  ]),
  bug(
    "failed-start-stays-registered",
    "failure path",
    "a failing initialize frees its blocks and stays registered for DMA",
    [
      "initialize",
      "this.#services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY); this.$_release();",
      "this.#services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY); this.#dma = null; this.$_release();",
    ],
  ),
  bug("uses-descriptors-before-null", "failure path", "the descriptor block is cleared before it is tested for NULL", [
    "#allocateTransmit",
    "if ($block === null) return false; this.$_services.$bytes($block.$virtual, $lengthBytes).fill(0);",
    "this.$_services.$bytes(($block as SharedBlock).$virtual, $lengthBytes).fill(0); if ($block === null) return false;",
  ]),
  bug(
    "halved-chunk-cut-whole",
    "wrong length",
    "after halving a chunk the loop still cuts the frames of the whole one",
    [
      "#allocateReceive",
      "for (let $index = 0; $index < count; $index += 1) {",
      "for (let $index = 0; $index < Math.min(DEFAULT_FRAMES, wanted - this.#frames); $index += 1) {",
    ],
  ),
  bug("shutdown-frees", "wrong place", "shutdown frees shared memory", [
    "",
    "$shutdown(): void { this.$_services.$writeRegister(SCB.$port, 0);",
    "$shutdown(): void { this.$_services.$writeRegister(SCB.$port, 0); this.#release();",
  ]),
  bug("shrink-while-receiving", "lifetime", "a frame is freed while the receive unit may still be at it", [
    "#shrink",
    "if (this.$_list.$completed() !== undefined) return; this.$_command(SCB_COMMAND_ABORT);",
    "if (this.$_list.$completed() !== undefined) return;",
  ]),
  bug("pause-leaves-receiver-on", "order", "pause masks the interrupt and leaves the receive unit running", [
    "pause",
    "this.$_masked = true; this.$_command(SCB_COMMAND_ABORT); this.$_receive();",
    "this.$_masked = true; this.$_receive();",
  ]),
  bug("pause-skips-last-frames", "order", "pause stops the device and leaves in the ring what it had completed", [
    "pause",
    "this.$_command(SCB_COMMAND_ABORT); this.$_receive();",
    "this.$_command(SCB_COMMAND_ABORT);",
  ]),
  bug(
    "lock-kept-when-paused",
    "level",
    "a frame that comes back to a paused adapter leaves by a return that forgets the lock",
    [
      "#takeBack",
      "this.$_unhold(); this.#startReceiver(); this.$_lock.$release();",
      "this.$_unhold(); if (!this.#running) return; this.#startReceiver(); this.$_lock.$release();",
    ],
  ),
  bug(
    "completion-of-another-adapter",
    "wrong context",
    "the completion goes to the adapter that was made last, not to the one of its context",
    [
      "initialize",
      "($context as Adapter).$_allocated($virtual, $physical, length, $request as RequestContext),",
      "Adapter.#latest.$_allocated($virtual, $physical, length, $request as RequestContext),",
    ],
    ["", "readonly #handle: AdapterHandle;", "static #latest: Adapter; readonly #handle: AdapterHandle;"],
    ["constructor", "this.#handle = $handle;", "this.#handle = $handle; Adapter.#latest = this;"],
  ),
  bug(
    "late-block-freed-unaddressed",
    "address width",
    "the late block is freed with the low sixteen bits of its physical address",
    [
      "#allocated",
      "if (this.$_halting) { this.$_free(block); } else {",
      "if (this.$_halting) { this.$_free({ ...block, physical: (block.physical % 0x10000) as NDIS_PHYSICAL_ADDRESS }); } else {",
    ],
  ),
  bug(
    "late-block-frees-its-elder",
    "lifetime",
    "the late block is kept, and the newest block of initialize freed in its place",
    [
      "#allocated",
      "if (this.$_halting) { this.$_free(block); } else {",
      "if (this.$_halting) { this.$_free(this.#blocks.at(-1) ?? block); } else {",
    ],
  ),
  bug("shutdown-asks-for-more", "wrong place", "shutdown asks for a block to leave a note in", [
    "",
    "$shutdown(): void { this.$_services.$writeRegister(SCB.$port, 0);",
    "$shutdown(): void { this.$_services.$writeRegister(SCB.$port, 0); if (this.#dma !== null) NdisMAllocateSharedMemoryAsyncEx(this.#dma, 64, false, null);",
  ]),
  bug("shutdown-deregisters", "wrong place", "shutdown gives the DMA registration back while blocks are live", [
    "",
    "$shutdown(): void { this.$_services.$writeRegister(SCB.$port, 0);",
    "$shutdown(): void { this.$_services.$writeRegister(SCB.$port, 0); if (this.#dma !== null) NdisMDeregisterScatterGatherDma(this.#dma);",
  ]),
  bug("halt-waits-at-dispatch", "level", "halt waits for its pending request with the receive lock held", [
    "halt",
    "this.#dereference(); while (this.$_references > 0)",
    "this.#dereference(); if (this.$_references > 0) this.#lock.acquire(); while (this.$_references > 0)",
  ]),
  bug(
    "refused-asks-at-once",
    "re-entrancy",
    "FAILURE is answered by asking again, without end as long as it fails, three times here",
    [
      "#grow",
      "if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context);",
      "if ($status !== NDIS_STATUS_PENDING) for (let i = 0; i < 3; i += 1) NdisMAllocateSharedMemoryAsyncEx(this.#dma, RECEIVE_FRAME_BYTES, false, $context); if ($status !== NDIS_STATUS_PENDING) this.$_requestOver($context);",
    ],
  ),
  bug("failed-start-frees-twice", "failure path", "a failing initialize frees the last block once more than it took", [
    "initialize",
    "this.#services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY); this.$_release();",
    "this.#services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY); const last = this.#blocks.at(-1); this.$_release(); if (last !== undefined) this.#free(last);",
  ]),
  bug("restart-asks-twice", "lifetime", "a restart after a pause asks for a block and forgets that it will come", [
    "restart",
    "this.$_running = true; this.$_masked = false; this.$_startReceiver();",
    "if (this.#receivedSinceCheck > 0 && this.#dma !== null) NdisMAllocateSharedMemoryAsyncEx(this.#dma, RECEIVE_FRAME_BYTES, false, { entry: 0 }); this.$_running = true; this.$_masked = false; this.$_startReceiver();",
  ]),
  bug("pause-drops-the-lock-late", "order", "pause waits for frames before it has stopped the receive unit", [
    "pause",
    "this.$_running = false; this.$_masked = true; this.$_command(SCB_COMMAND_ABORT); this.$_receive(); this.$_lock.$release(); while (this.$_held > 0) await this.$_services.$wait(this.$_returned, HALT_ROUND_NS);",
    "this.$_running = false; this.$_masked = true; this.$_lock.$release(); while (this.$_held > 0) await this.$_services.$wait(this.$_returned, HALT_ROUND_NS); this.$_command(SCB_COMMAND_ABORT);",
  ]),
  bug(
    "stale-link-after-shrink",
    "lifetime",
    "a frame that is given back stays linked from the one before it when that one is the first",
    [
      "#shrink",
      "if ($frame === undefined || $frame.$block === null) return; this.$_frames -= 1; this.$_free($frame.$block);",
      "if ($frame === undefined || $frame.$block === null) return; this.$_frames -= 1; this.$_free($frame.$block); if (this.#list.length <= 4) this.#services.writeRegister(SCB.pointer, $frame.physical); if (this.#list.length <= 4) this.#command(SCB_COMMAND_START);",
    ],
  ),
];
