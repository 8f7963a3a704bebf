/** Bugs for e100bex. Each passes `ndis-shmem run` under the default seed. */
import type { PlantedBug } from "./planted.js";

const DRIVER = "src/drivers/e100bex.ts";

function bug(
  name: string,
  kind: string,
  pattern: string,
  ...hunks: readonly (readonly [string, string])[]
): PlantedBug {
  return {
    name: `e100bex/${name}`,
    where: "e100bex",
    kind,
    pattern,
    changes: hunks.map(([find, put]) => ({ file: DRIVER, find, put })),
  };
}

const HALTING = "      if (this.#halting) {\n        this.#free(block);\n      } else {";
const REFUSED = "    if (status !== NDIS_STATUS_PENDING) this.#requestOver(context);";

export const E100BEX_BUGS: readonly PlantedBug[] = [
  bug("halt-does-not-wait", "halt race", "halt frees everything and forgets the request that is still pending", [
    "    while (this.#references > 0) await this.#services.wait(this.#released, HALT_ROUND_NS);\n",
    "",
  ]),
  bug("late-block-is-kept", "leak", "a completion that finds the adapter halting forgets to free what it just got", [
    HALTING,
    "      if (this.#halting) {\n      } else {",
  ]),
  bug("late-block-freed-aligned", "address arithmetic", "the late block is freed by its aligned address", [
    HALTING,
    "      if (this.#halting) {\n        this.#free({ ...block, virtual: alignedFrame(block, block).virtual });\n      } else {",
  ]),
  bug("late-block-freed-short", "wrong length", "the late block is freed with the length of what it is used for", [
    HALTING,
    "      if (this.#halting) {\n        this.#free({ ...block, lengthBytes: lengthBytes - 0x0a });\n      } else {",
  ]),
  bug("late-block-freed-cached", "wrong flag", "the late block is freed as cached", [
    HALTING,
    "      if (this.#halting) {\n        this.#free({ ...block, cached: true });\n      } else {",
  ]),
  bug("late-block-freed-twice", "lifetime", "the late block is freed, kept all the same, and freed again", [
    HALTING,
    "      if (this.#halting) this.#free(block);\n      {",
  ]),
  bug("null-keeps-its-reference", "reference counting", "a completion with NULL does not give its reference back", [
    "    this.#requestOver(context);\n    if (virtual === null ||",
    "    if (virtual !== null) this.#requestOver(context);\n    if (virtual === null ||",
  ]),
  bug("refusal-keeps-its-reference", "reference counting", "FAILURE at the queue does not give the reference back", [
    REFUSED,
    "    if (status !== NDIS_STATUS_PENDING) this.#requestPending = false;",
  ]),
  bug(
    "refusal-gives-back-twice",
    "reference counting",
    "FAILURE gives the reference back twice, so that halt waits too little",
    [REFUSED, `${REFUSED}\n    if (status !== NDIS_STATUS_PENDING) this.#dereference();`],
  ),
  bug("fallback-at-dispatch", "level", "FAILURE falls back to the synchronous call, under the lock at DISPATCH_LEVEL", [
    REFUSED,
    `    if (status !== NDIS_STATUS_PENDING) this.#allocate(RECEIVE_FRAME_BYTES, false);\n${REFUSED}`,
  ]),
  bug(
    "reads-address-before-null",
    "failure path",
    "the physical address is looked at before the virtual one is tested",
    [
      "    if (virtual !== null && physical !== null) {\n      const block: SharedBlock",
      '    if ((physical as number).toString(16) !== "0" && virtual !== null && physical !== null) {\n      const block: SharedBlock',
    ],
  ),
  bug("failed-start-keeps-blocks", "leak", "a failing initialize does not free what it had", [
    "      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);\n      this.#release();",
    "      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);",
  ]),
  bug(
    "failed-start-stays-registered",
    "failure path",
    "a failing initialize frees its blocks and stays registered for DMA",
    [
      "      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);\n      this.#release();",
      "      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);\n      this.#dma = null;\n      this.#release();",
    ],
  ),
  bug("uses-descriptors-before-null", "failure path", "the descriptor block is cleared before it is tested for NULL", [
    "      if (block === null) return false;\n      // Nothing promises zeros (choice C15), and the device reads these.\n      this.#services.bytes(block.virtual, lengthBytes).fill(0);",
    "      // Nothing promises zeros (choice C15), and the device reads these.\n      this.#services.bytes((block as SharedBlock).virtual, lengthBytes).fill(0);\n      if (block === null) return false;",
  ]),
  bug(
    "halved-chunk-cut-whole",
    "wrong length",
    "after halving a chunk the loop still cuts the frames of the whole one",
    [
      "      for (let index = 0; index < count; index += 1) {",
      "      for (let index = 0; index < Math.min(DEFAULT_FRAMES, wanted - this.#frames); index += 1) {",
    ],
  ),
  bug("shutdown-frees", "wrong place", "shutdown frees shared memory", [
    "  shutdown(): void {\n    this.#services.writeRegister(SCB.port, 0);",
    "  shutdown(): void {\n    this.#services.writeRegister(SCB.port, 0);\n    this.#release();",
  ]),
  bug("shrink-while-receiving", "lifetime", "a frame is freed while the receive unit may still be at it", [
    "    if (this.#list.completed() !== undefined) return;\n    this.#command(SCB_COMMAND_ABORT);",
    "    if (this.#list.completed() !== undefined) return;",
  ]),
  bug("pause-leaves-receiver-on", "order", "pause masks the interrupt and leaves the receive unit running", [
    "    this.#masked = true;\n    this.#command(SCB_COMMAND_ABORT);\n    this.#receive();",
    "    this.#masked = true;\n    this.#receive();",
  ]),
  bug("pause-skips-last-frames", "order", "pause stops the device and leaves in the ring what it had completed", [
    "    this.#command(SCB_COMMAND_ABORT);\n    this.#receive();\n",
    "    this.#command(SCB_COMMAND_ABORT);\n",
  ]),
  bug(
    "lock-kept-when-paused",
    "level",
    "a frame that comes back to a paused adapter leaves by a return that forgets the lock",
    [
      "    this.#unhold();\n    this.#startReceiver();\n    this.#lock.release();",
      "    this.#unhold();\n    if (!this.#running) return;\n    this.#startReceiver();\n    this.#lock.release();",
    ],
  ),
  bug(
    "completion-of-another-adapter",
    "wrong context",
    "the completion goes to the adapter that was made last, not to the one of its context",
    [
      "        (context as Adapter).#allocated(virtual, physical, length, request as RequestContext),",
      "        Adapter.#latest.#allocated(virtual, physical, length, request as RequestContext),",
    ],
    ["  readonly #handle: AdapterHandle;\n", "  static #latest: Adapter;\n  readonly #handle: AdapterHandle;\n"],
    ["    this.#handle = handle;\n", "    this.#handle = handle;\n    Adapter.#latest = this;\n"],
  ),
  bug(
    "late-block-freed-unaddressed",
    "address width",
    "the late block is freed with the low sixteen bits of its physical address",
    [
      HALTING,
      "      if (this.#halting) {\n        this.#free({ ...block, physical: (block.physical % 0x10000) as NDIS_PHYSICAL_ADDRESS });\n      } else {",
    ],
  ),
  bug(
    "late-block-frees-its-elder",
    "lifetime",
    "the late block is kept, and the newest block of initialize freed in its place",
    [HALTING, "      if (this.#halting) {\n        this.#free(this.#blocks.at(-1) ?? block);\n      } else {"],
  ),
  bug("shutdown-asks-for-more", "wrong place", "shutdown asks for a block to leave a note in", [
    "  shutdown(): void {\n    this.#services.writeRegister(SCB.port, 0);",
    "  shutdown(): void {\n    this.#services.writeRegister(SCB.port, 0);\n    if (this.#dma !== null) NdisMAllocateSharedMemoryAsyncEx(this.#dma, 64, false, null);",
  ]),
  bug("shutdown-deregisters", "wrong place", "shutdown gives the DMA registration back while blocks are live", [
    "  shutdown(): void {\n    this.#services.writeRegister(SCB.port, 0);",
    "  shutdown(): void {\n    this.#services.writeRegister(SCB.port, 0);\n    if (this.#dma !== null) NdisMDeregisterScatterGatherDma(this.#dma);",
  ]),
  bug("halt-waits-at-dispatch", "level", "halt waits for its pending request with the receive lock held", [
    "    this.#dereference();\n    while (this.#references > 0)",
    "    this.#dereference();\n    if (this.#references > 0) this.#lock.acquire();\n    while (this.#references > 0)",
  ]),
  bug(
    "refused-asks-at-once",
    "re-entrancy",
    "FAILURE is answered by asking again, without end as long as it fails, three times here",
    [
      REFUSED,
      `    if (status !== NDIS_STATUS_PENDING) for (let i = 0; i < 3; i += 1) NdisMAllocateSharedMemoryAsyncEx(this.#dma, RECEIVE_FRAME_BYTES, false, context);\n${REFUSED}`,
    ],
  ),
  bug("failed-start-frees-twice", "failure path", "a failing initialize frees the last block once more than it took", [
    "      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);\n      this.#release();",
    "      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);\n      const last = this.#blocks.at(-1);\n      this.#release();\n      if (last !== undefined) this.#free(last);",
  ]),
  bug("restart-asks-twice", "lifetime", "a restart after a pause asks for a block and forgets that it will come", [
    "    this.#running = true;\n    this.#masked = false;\n    this.#startReceiver();",
    "    if (this.#receivedSinceCheck > 0 && this.#dma !== null) NdisMAllocateSharedMemoryAsyncEx(this.#dma, RECEIVE_FRAME_BYTES, false, { entry: 0 });\n    this.#running = true;\n    this.#masked = false;\n    this.#startReceiver();",
  ]),
  bug("pause-drops-the-lock-late", "order", "pause waits for frames before it has stopped the receive unit", [
    "    this.#running = false;\n    this.#masked = true;\n    this.#command(SCB_COMMAND_ABORT);\n    this.#receive();\n    this.#lock.release();\n    while (this.#held > 0) await this.#services.wait(this.#returned, HALT_ROUND_NS);",
    "    this.#running = false;\n    this.#masked = true;\n    this.#lock.release();\n    while (this.#held > 0) await this.#services.wait(this.#returned, HALT_ROUND_NS);\n    this.#command(SCB_COMMAND_ABORT);",
  ]),
  bug(
    "stale-link-after-shrink",
    "lifetime",
    "a frame that is given back stays linked from the one before it when that one is the first",
    [
      "    if (frame === undefined || frame.block === null) return;\n    this.#frames -= 1;\n    this.#free(frame.block);",
      "    if (frame === undefined || frame.block === null) return;\n    this.#frames -= 1;\n    this.#free(frame.block);\n    if (this.#list.length <= 4) this.#services.writeRegister(SCB.pointer, frame.physical);\n    if (this.#list.length <= 4) this.#command(SCB_COMMAND_START);",
    ],
  ),
];
