/** Bugs for rtlnwifi, netkvm and gvnic, and for what they do alike. Each passes `ndis-shmem run` under the default seed. */
import { type DriverHunk, driverChanges, type PlantedBug } from "./planted.js";

function bug(where: string, name: string, kind: string, pattern: string, ...hunks: readonly DriverHunk[]): PlantedBug {
  return { name: `${where}/${name}`, where, kind, pattern, changes: driverChanges(hunks) };
}

export const RING_BUGS: readonly PlantedBug[] = [
  bug(
    "rtlnwifi",
    "late-buffer-is-kept",
    "leak",
    "a completion that finds the adapter going away does not free its buffer",
    ["#allocated", "if (this.$halting) { this.$free(buffer); } else {", "if (this.$halting) { } else {"],
  ),
  bug(
    "rtlnwifi",
    "late-buffer-freed-rounded",
    "wrong length",
    "the late buffer is freed with its length rounded to the ring's alignment",
    [
      "#allocated",
      "if (this.$halting) { this.$free(buffer); } else {",
      "if (this.$halting) { this.$free({ ...buffer, lengthBytes: Math.ceil(lengthBytes / RTL_RING_ALIGNMENT) * RTL_RING_ALIGNMENT }); } else {",
    ],
  ),
  bug("rtlnwifi", "late-buffer-goes-to-ring", "lifetime", "the late buffer is freed and given to the device as well", [
    "#allocated",
    "if (this.$halting) { this.$free(buffer); } else {",
    "if (this.$halting) this.$free(buffer); {",
  ]),
  bug(
    "rtlnwifi",
    "one-reference-for-the-loop",
    "reference counting",
    "the loop of requests takes one reference for all of them",
    ["#grow", "this.$reference(); const context", "if (asked === 0) this.$reference(); const context"],
  ),
  bug(
    "rtlnwifi",
    "refusal-keeps-its-reference",
    "reference counting",
    "FAILURE leaves the loop without giving its reference back",
    ["#grow", "this.$_over(); return;", "this.#pending -= 1; return;"],
  ),
  bug(
    "rtlnwifi",
    "null-is-not-counted",
    "failure path",
    "a completion with NULL returns before it counts its request as over",
    [
      "#allocated",
      "if ($virtual !== null && $physical !== null) { const buffer",
      "if ($virtual === null) return; if ($physical !== null) { const buffer",
    ],
  ),
  bug(
    "rtlnwifi",
    "failed-start-forgets-buffers",
    "leak",
    "an initialize that got too few buffers forgets those it got",
    [
      "provide",
      "if ($receive < LEAST_BUFFERS || $management < LEAST_MANAGEMENT) return false;",
      "if ($receive < LEAST_BUFFERS || $management < LEAST_MANAGEMENT) { this.#buffers.clear(); return false; }",
    ],
  ),
  bug("rtlnwifi", "halt-does-not-wait", "halt race", "halt frees everything while requests are pending", [
    "halt",
    "while (this.$_references > 0) await this.services.$wait(this.#released, HALT_ROUND_NS);",
    "",
  ]),
  bug("rtlnwifi", "shutdown-frees", "wrong place", "shutdown frees shared memory", [
    "shutdown",
    "this.$_down = true; this.$_running = false; this.$services.$writeRegister(NIC.$command, NIC_RESET);",
    "this.$_down = true; this.$_running = false; this.$services.$writeRegister(NIC.$command, NIC_RESET); this.#release();",
  ]),
  bug(
    "netkvm",
    "thread-goes-on-in-halt",
    "halt race",
    "the thread that grows the pool does not look whether halt has begun when it wakes",
    ["#growth", "if (this.$ending) break;", ""],
  ),
  bug(
    "netkvm",
    "buffer-without-high-half",
    "address width",
    "the chunks of a buffer that came in pieces are described by the low halves of their addresses",
    [
      "#addBuffer",
      "this.$services.$writeU32($addToVirtual($at, 4), $highPart($block.$physical));",
      "this.$services.$writeU32($addToVirtual($at, 4), blocks.length === 1 ? $highPart($block.$physical) : 0);",
    ],
  ),
  bug(
    "netkvm",
    "short-buffer-keeps-chunks",
    "leak",
    "a buffer of chunks that cannot be completed keeps the chunks it had",
    ["#chunks", "for (const $one of $blocks) this.$free($one); return null;", "return null;"],
  ),
  bug(
    "netkvm",
    "short-buffer-freed-uncached",
    "wrong flag",
    "the chunks of a buffer that cannot be completed are freed as not cached",
    [
      "#chunks",
      "for (const $one of $blocks) this.$free($one); return null;",
      "for (const $one of $blocks) this.$free({ ...$one, cached: false }); return null;",
    ],
  ),
  bug(
    "netkvm",
    "halved-chunk-freed-whole",
    "wrong length",
    "the chunks of a buffer that cannot be completed are freed with the length first asked for",
    [
      "#chunks",
      "for (const $one of $blocks) this.$free($one); return null;",
      "for (const $one of $blocks) this.$free({ ...$one, lengthBytes: MAX_CHUNK }); return null;",
    ],
  ),
  bug(
    "netkvm",
    "pause-skips-last-frames",
    "order",
    "pause stops the device and leaves in the ring what it had completed",
    [
      "pause",
      "this.$services.$writeRegister(NIC.$command, NIC_STOP); this.$_receive();",
      "this.$services.$writeRegister(NIC.$command, NIC_STOP);",
    ],
  ),
  bug(
    "netkvm",
    "lock-kept-when-paused",
    "level",
    "a frame that comes back to a paused adapter leaves by a return that forgets the lock",
    [
      "#back",
      "if (this.$_held === 0) this.$_returned.$set(); this.$lock.$release();",
      "if (this.$_held === 0) this.$_returned.$set(); if (!this.#running) return; this.$lock.$release();",
    ],
  ),
  bug("gvnic", "short-list-forgets-pages", "leak", "a page list that came out too short forgets the pages it has", [
    "#pageList",
    "if ($count < LEAST_PAGES) return false;",
    "if ($count < LEAST_PAGES) { into.length = 0; return false; }",
  ]),
  bug(
    "gvnic",
    "table-used-before-null",
    "failure path",
    "the table of pages is written before it is tested for NULL",
    [
      "#pageList",
      "if ($table === null) return false; $into.$forEach(({ $physical }, $index) => { this.$services.$writeU32($addToVirtual($table.$virtual, 8 * $index), $physical % 2 ** 32);",
      "$into.$forEach(({ $physical }, $index) => { this.$services.$writeU32($addToVirtual(($table as SharedBlock).$virtual, 8 * $index), $physical % 2 ** 32); if ($table === null) return;",
    ],
    [
      "#pageList",
      "const $done = this.$_command(GVE_REGISTER_PAGES",
      "if (table === null) return false; const $done = this.$_command(GVE_REGISTER_PAGES",
    ],
  ),
  bug(
    "gvnic",
    "refused-pool-recorded",
    "failure path",
    "an optional pool that was refused is recorded as the one before it",
    [
      "#provideTransmit",
      "} else if (!$optional) { return false; }",
      "} else if (!$optional) { return false; } else { this.#pools.push(this.#pools[0] as Pool); }",
    ],
  ),
  bug(
    "gvnic",
    "failed-start-keeps-everything",
    "failure path",
    "an initialize that fails logs its error and releases nothing",
    [
      "initialize",
      "this.services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY); this.$_release();",
      "this.services.$logError(ERRLOG_OUT_OF_SHARED_MEMORY);",
    ],
  ),
  bug(
    "gvnic",
    "halt-forgets-frames",
    "halt race",
    "neither pause nor halt waits for frames that are with the upper layer",
    [
      "#untilReturned",
      "while (this.$_held > 0) await this.services.$wait(this.#returned, HALT_ROUND_NS);",
      "if (this.$_held < 0) await this.services.$wait(this.#returned, HALT_ROUND_NS);",
    ],
  ),
];
