/** Bugs for rtlnwifi, netkvm and gvnic, and for what they do alike. Each passes `ndis-shmem run` under the default seed. */
import type { PlantedBug } from "./planted.js";

function bug(
  where: string,
  file: string,
  name: string,
  kind: string,
  pattern: string,
  ...hunks: readonly (readonly [string, string])[]
): PlantedBug {
  const path = `src/drivers/${file}.ts`;
  return {
    name: `${where}/${name}`,
    where,
    kind,
    pattern,
    changes: hunks.map(([find, put]) => ({ file: path, find, put })),
  };
}

const RTL = "rtlnwifi";
const KVM = "netkvm";
const GVE = "gvnic";
const COMMON = "ring-miniport";
const LATE = "      if (this.halting) {\n        this.free(buffer);\n      } else {";
const WAITS = "    while (this.#references > 0) await this.services.wait(this.#released, HALT_ROUND_NS);\n";

export const RING_BUGS: readonly PlantedBug[] = [
  bug(
    RTL,
    RTL,
    "late-buffer-is-kept",
    "leak",
    "a completion that finds the adapter going away does not free its buffer",
    [LATE, "      if (this.halting) {\n      } else {"],
  ),
  bug(
    RTL,
    RTL,
    "late-buffer-freed-rounded",
    "wrong length",
    "the late buffer is freed with its length rounded to the ring's alignment",
    [
      LATE,
      "      if (this.halting) {\n        this.free({ ...buffer, lengthBytes: Math.ceil(lengthBytes / RTL_RING_ALIGNMENT) * RTL_RING_ALIGNMENT });\n      } else {",
    ],
  ),
  bug(RTL, RTL, "late-buffer-goes-to-ring", "lifetime", "the late buffer is freed and given to the device as well", [
    LATE,
    "      if (this.halting) this.free(buffer);\n      {",
  ]),
  bug(
    RTL,
    RTL,
    "one-reference-for-the-loop",
    "reference counting",
    "the loop of requests takes one reference for all of them",
    ["      this.reference();\n      const context", "      if (asked === 0) this.reference();\n      const context"],
  ),
  bug(
    RTL,
    RTL,
    "refusal-keeps-its-reference",
    "reference counting",
    "FAILURE leaves the loop without giving its reference back",
    ["      this.#over();\n      return;", "      this.#pending -= 1;\n      return;"],
  ),
  bug(
    RTL,
    RTL,
    "null-is-not-counted",
    "failure path",
    "a completion with NULL returns before it counts its request as over",
    [
      "    if (virtual !== null && physical !== null) {\n      const buffer",
      "    if (virtual === null) return;\n    if (physical !== null) {\n      const buffer",
    ],
  ),
  bug(RTL, RTL, "failed-start-forgets-buffers", "leak", "an initialize that got too few buffers forgets those it got", [
    "    if (receive < LEAST_BUFFERS || management < LEAST_MANAGEMENT) return false;",
    "    if (receive < LEAST_BUFFERS || management < LEAST_MANAGEMENT) {\n      this.#buffers.clear();\n      return false;\n    }",
  ]),
  bug(RTL, COMMON, "halt-does-not-wait", "halt race", "halt frees everything while requests are pending", [WAITS, ""]),
  bug(RTL, COMMON, "shutdown-frees", "wrong place", "shutdown frees shared memory", [
    "    this.#down = true;\n    this.#running = false;\n    this.services.writeRegister(NIC.command, NIC_RESET);\n",
    "    this.#down = true;\n    this.#running = false;\n    this.services.writeRegister(NIC.command, NIC_RESET);\n    this.#release();\n",
  ]),
  bug(
    KVM,
    KVM,
    "thread-goes-on-in-halt",
    "halt race",
    "the thread that grows the pool does not look whether halt has begun when it wakes",
    ["      if (this.ending) break;\n", ""],
  ),
  bug(
    KVM,
    KVM,
    "buffer-without-high-half",
    "address width",
    "the chunks of a buffer that came in pieces are described by the low halves of their addresses",
    [
      "      this.services.writeU32(addToVirtual(at, 4), highPart(block.physical));",
      "      this.services.writeU32(addToVirtual(at, 4), blocks.length === 1 ? highPart(block.physical) : 0);",
    ],
  ),
  bug(
    KVM,
    KVM,
    "short-buffer-keeps-chunks",
    "leak",
    "a buffer of chunks that cannot be completed keeps the chunks it had",
    ["        for (const one of blocks) this.free(one);\n        return null;", "        return null;"],
  ),
  bug(
    KVM,
    KVM,
    "short-buffer-freed-uncached",
    "wrong flag",
    "the chunks of a buffer that cannot be completed are freed as not cached",
    [
      "        for (const one of blocks) this.free(one);\n        return null;",
      "        for (const one of blocks) this.free({ ...one, cached: false });\n        return null;",
    ],
  ),
  bug(
    KVM,
    KVM,
    "halved-chunk-freed-whole",
    "wrong length",
    "the chunks of a buffer that cannot be completed are freed with the length first asked for",
    [
      "        for (const one of blocks) this.free(one);\n        return null;",
      "        for (const one of blocks) this.free({ ...one, lengthBytes: MAX_CHUNK });\n        return null;",
    ],
  ),
  bug(
    KVM,
    COMMON,
    "pause-skips-last-frames",
    "order",
    "pause stops the device and leaves in the ring what it had completed",
    [
      "    this.services.writeRegister(NIC.command, NIC_STOP);\n    this.#receive();\n",
      "    this.services.writeRegister(NIC.command, NIC_STOP);\n",
    ],
  ),
  bug(
    KVM,
    COMMON,
    "lock-kept-when-paused",
    "level",
    "a frame that comes back to a paused adapter leaves by a return that forgets the lock",
    [
      "    if (this.#held === 0) this.#returned.set();\n    this.lock.release();",
      "    if (this.#held === 0) this.#returned.set();\n    if (!this.#running) return;\n    this.lock.release();",
    ],
  ),
  bug(GVE, GVE, "short-list-forgets-pages", "leak", "a page list that came out too short forgets the pages it has", [
    "    if (count < LEAST_PAGES) return false;",
    "    if (count < LEAST_PAGES) {\n      into.length = 0;\n      return false;\n    }",
  ]),
  bug(
    GVE,
    GVE,
    "table-used-before-null",
    "failure path",
    "the table of pages is written before it is tested for NULL",
    [
      "    if (table === null) return false;\n    into.forEach(({ physical }, index) => {\n      this.services.writeU32(addToVirtual(table.virtual, 8 * index), physical % 2 ** 32);",
      "    into.forEach(({ physical }, index) => {\n      this.services.writeU32(addToVirtual((table as SharedBlock).virtual, 8 * index), physical % 2 ** 32);\n      if (table === null) return;",
    ],
    [
      "    const done = this.#command(GVE_REGISTER_PAGES",
      "    if (table === null) return false;\n    const done = this.#command(GVE_REGISTER_PAGES",
    ],
  ),
  bug(
    GVE,
    GVE,
    "refused-pool-recorded",
    "failure path",
    "an optional pool that was refused is recorded as the one before it",
    [
      "      } else if (!optional) {\n        return false;\n      }",
      "      } else if (!optional) {\n        return false;\n      } else {\n        this.#pools.push(this.#pools[0] as Pool);\n      }",
    ],
  ),
  bug(
    GVE,
    COMMON,
    "failed-start-keeps-everything",
    "failure path",
    "an initialize that fails logs its error and releases nothing",
    [
      "      this.services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);\n      this.#release();",
      "      this.services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);",
    ],
  ),
  bug(
    GVE,
    COMMON,
    "halt-forgets-frames",
    "halt race",
    "neither pause nor halt waits for frames that are with the upper layer",
    [
      "    while (this.#held > 0) await this.services.wait(this.#returned, HALT_ROUND_NS);",
      "    if (this.#held < 0) await this.services.wait(this.#returned, HALT_ROUND_NS);",
    ],
  ),
];
