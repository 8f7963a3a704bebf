/** Every form of recording by small hand-made files: its dialects, its odd calls, and what is counted rather than refused. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import {
  FORMAT_NAMES,
  LogWriter,
  type ReadOptions,
  type ReadResult,
  readOperations,
} from "../../src/recordings/index.js";

interface Shown extends ReadResult {
  /** `a0:64` allocates 64 bytes into slot 0, `a0:64/16` with an alignment, `f0` frees it. */
  readonly text: string;
  readonly owners: readonly string[];
  readonly times: readonly number[];
}

async function read(text: string | Uint8Array, options: ReadOptions = {}): Promise<Shown> {
  const shown: string[] = [];
  const owners: string[] = [];
  const times: number[] = [];
  const result = await readOperations(
    typeof text === "string" ? Buffer.from(text, "latin1") : text,
    {
      allocate(slot, bytes, alignment, { owner, timeNs }) {
        shown.push(`a${slot}:${bytes}${alignment > 0 ? `/${alignment}` : ""}`);
        owners.push(owner);
        times.push(timeNs);
      },
      free: (slot) => shown.push(`f${slot}`),
    },
    options,
  );
  return { ...result, text: shown.join(" "), owners, times };
}

async function refused(text: string | Uint8Array, why: RegExp, options: ReadOptions = {}): Promise<void> {
  try {
    await read(text, options);
  } catch (error) {
    assert.ok(error instanceof ShmemError && error.code === "BAD_TRACE", String(error));
    assert.match(error.message, why);
    return;
  }
  assert.unreachable(`${String(text).slice(0, 60)} was not refused`);
}

test("android: with times, without, mixed; further integers; a sign; blanks; no last line feed", async () => {
  const text = [
    "186: malloc 0x10 20 1000 1020",
    "-1: calloc 0x20 3 8 1030 1040 77 -1",
    "187:   memalign   0x30  64 100   ",
    "187: realloc 0x40 0x10 40 1050 1060",
    "187: thread_done 0x0 1070",
    "187: thread_done",
    "186: free 0x20 1080 1090",
    "186: free 0x0 1080 1090",
    "186: free B6000030",
    "186: malloc 0xfffffffffffffff8 5",
  ].join("\n");
  const found = await read(text);
  assert.is(found.format, "android");
  assert.is(found.text, "a0:20 a1:24 a2:100/64 a3:40 f0 f1 a1:5");
  assert.equal(found.times, [1000, 1030, Number.NaN, 1050, Number.NaN]);
  assert.is(found.facts.ignored, 1);
  assert.equal([found.skipped, found.notes[0]?.why], [1, "a free of an id that is not live"]);
  await refused("1: malloc 0x10 8 5\n", /column 19.*time of the end/, { strict: true });
  await refused("1: memalign 0x10 3 8\n", /power of two/, { strict: true });
});

test("android: a call that failed changes nothing, a realloc to nothing is a free", async () => {
  const found = await read(
    [
      "1: malloc 0x1000 20",
      "1: realloc 0x0 0x1000 40",
      "1: malloc 0x0 99",
      "1: realloc 0x0 0x0 5",
      "1: realloc 0x2000 0x0 6",
      "1: realloc 0x0 0x2000 0",
      "1: free 0x1000",
    ].join("\n"),
    { strict: true },
  );
  assert.is(found.text, "a0:20 a1:6 f1 f0");
  assert.is(found.facts.ignored, 3);
});

const HEAPTRACK_3 = [
  "v 10400 3",
  "X ./program with blanks",
  "I 1000 4f2b",
  "s 9 /bin/true",
  "s 8 operator",
  "i 4a5c 1 2",
  "t 1 0",
  "a 40 1",
  "+ 0",
  "c a",
  "a 1000 1",
  "+ 1",
  "R 2f1",
  "+ 0",
  "- 0",
  "- 1",
  "c 14",
  "- 0",
  "",
].join("\n");

test("heaptrack: interpreted, version 3; the youngest of equal blocks is freed", async () => {
  const found = await read(HEAPTRACK_3, { strict: true });
  assert.is(found.format, "heaptrack");
  assert.is(found.text, "a0:64 a1:4096 a2:64 f2 f1 f0");
  assert.equal(found.owners, ["trace 1", "trace 1", "trace 1"]);
  assert.equal(found.times, [Number.NaN, 10e6, 10e6]);
  const gzipped = await read(gzipSync(HEAPTRACK_3), { strict: true });
  assert.is(gzipped.text, found.text);
});

test("heaptrack: raw has pointers; version 0 and 1 and 2; what is above 3 is refused", async () => {
  const raw =
    "v 10400 3\nx 8 /bin/foo\nm 8 /bin/foo 55 0 1000\nt 4a 0\n+ 40 1 7f00\n+ 40 1 7f80\n- 7f00\n- 9999\n- 0\n";
  const found = await read(raw);
  assert.is(found.text, "a0:64 a1:64 f0");
  assert.equal([found.skipped, found.facts.ignored], [1, 1]);
  assert.is((await read("v 10000\n+ 10 1 aa\n- aa\n")).text, "a0:16 f0");
  assert.is((await read("v 10200\na 10 0\n+ 0\n- 0\n")).text, "a0:16 f0");
  assert.is((await read("# note\nv 10200 2\ni 1 0 1 2 3 4 5\na 10 0\n+ 0\nA\nS leak:foo\n- 0\n")).text, "a0:16 f0");
  await refused("v 10900 4\n+ 0\n", /later version/, { strict: true });
  await refused("v 10400 3\n+ 0\n", /not declared/, { strict: true });
  await refused("v 10400 3\na 8 0\n+ 0\n- 0\n- 0\n", /no block is live/, { strict: true });
  await refused("v 10400 3\nq 1\n", /unknown record/, { strict: true });
});

test("rep: line ends mean nothing; frees of NULL; reallocations from and to nothing; other letters", async () => {
  for (const text of [
    "20000\n2\n5\n1\na 0 512\na 1 128\nr 0 640\nf 1\nf 0\n",
    "20000 2 5 1\na 0 512 a 1 128\nr 0 640\nf 1 f 0",
    "20000\r\n2\r\n5\r\n1\r\n\r\na 0  512\r\na 1 128\r\nr 0\r\n640\r\nf 1\r\nf 0\r\n",
    "\n\t1 2 5 0\n\na\n0\n512 a 1 128 r 0 640 f 1 f 0",
  ]) {
    const found = await read(text, { strict: true });
    assert.is(found.format, "rep");
    assert.is(found.text, "a0:512 a1:128 a2:640 f0 f1 f2", JSON.stringify(text));
  }
  assert.is((await read("100\n1\n2\n1\na 0 10\nf -1\nf 0\n", { strict: true })).facts.ignored, 1);
  assert.is((await read("100 1 3 1 a 0 10 f -1 f 0", { strict: true })).text, "a0:10 f0");
  assert.is((await read("100 1 3 1 r 0 10 r 0 0 f -1", { strict: true })).text, "a0:10 f0");
  assert.is((await read("100 1 2 1 s h a 0 10 f 0", { strict: true })).text, "a0:10 f0");
  const short = await read("100 3 9 1 a 0 10 f 0 a 1");
  assert.is(short.text, "a0:10 f0");
  assert.equal([short.skipped, short.mended], [1, 2]);
  await refused("100 1 2 1 a 0 10 x 0", /unknown call/, { strict: true });
});

test("minimalloc: columns in any order, exclusive and inclusive ends, alignment, its own output", async () => {
  for (const [text, expected] of [
    ["id,lower,upper,size\nb1,0,3,4\nb2,3,9,8\n", "a0:4 f0 a0:8 f0"],
    ["id,start,end,size\nb1,0,2,4\nb2,3,8,8\n", "a0:4 f0 a0:8 f0"],
    ["buffer_id,size,begin,upper\nb1,4,0,3\nb2,8,3,9\n", "a0:4 f0 a0:8 f0"],
    ["size,alignment,id,lower,upper\n4,16,b1,0,3\n8,1,b2,2,9\n", "a0:4/16 a1:8/1 f0 f1"],
    ["id,lower,upper,size,offset\nb1,0,3,4,0\nb2,3,9,8,4\n", "a0:4 f0 a0:8 f0"],
    ["id,lower,upper,size,gaps,hint\nb1,0,9,4,2-3 5-6@0:2,-1\n\nwhat follows an empty line is not read\n", "a0:4 f0"],
  ] as const) {
    const found = await read(text, { strict: true });
    assert.is(found.format, "minimalloc");
    assert.is(found.text, expected, text);
  }
  const other = await read("id,lower,upper,size,colour\nb1,0,3,4,red\n");
  assert.equal([other.text, other.skipped], ["a0:4 f0", 1]);
  await refused("id,lower,upper,size,start\n1,0,1,2,3\n", /twice/, { strict: true });
  await refused("id,lower,upper,size\n1,0,1\n", /expected/, { strict: true });
  await refused("id,lower,upper,size\n1,5,5,2\n", /ends before it begins/, { strict: true });
});

test("VulkanMemoryAllocator: buffers, memory, pages, resizing; images are counted", async () => {
  const buffer = (handle: string, size: number): string =>
    `7,0.25,1,vmaCreateBuffer,0,${size},3,0,0,4,0,0,0,0000000000000000,${handle},my, name`;
  const text = [
    "Vulkan Memory Allocator,Calls recording",
    "1,8",
    "Config,Begin",
    "PhysicalDevice,apiVersion,1,2",
    "Config,End",
    "7,0.000,0,vmaCreateAllocator",
    buffer("00000000AABBCC01", 1000),
    "7,0.5,1,vmaAllocateMemory,4096,256,3,0,0,1,0,0,00000000AABBCC02,00000000AABBCC03,",
    "7,0.5,1,vmaAllocateMemoryPages,64,16,3,0,0,1,0,0,0000000000000000,A1 A2 A3,",
    "7,0.6,2,vmaCreateImage,0,1,37,64,64,1,1,1,1,0,4,0,0,1,0,0,0,0,0,00000000AABBCC09,",
    "7,0.7,2,vmaMapMemory,00000000AABBCC03",
    "7,0.7,2,vmaResizeAllocation,00000000AABBCC03,8192",
    "7,0.8,3,vmaFreeMemoryPages,A1 A3",
    "7,0.9,3,vmaDestroyBuffer,00000000AABBCC01",
    "7,0.9,3,vmaDestroyBuffer,0000000000000000",
    "7,1.0,3,vmaFreeMemory,00000000AABBCC03",
  ].join("\n");
  const found = await read(text);
  assert.is(found.format, "vma");
  assert.is(found.text, "a0:1000 a1:4096/256 a2:64/16 a3:64/16 a4:64/16 a5:8192 f1 f2 f4 f0 f5");
  assert.is(found.times[0], 250e6);
  assert.equal([found.skipped, found.notes[0]?.why], [1, "vmaCreateImage records no size"]);
  assert.is(found.facts.ignored, 1);
  await refused(text.replace("1,8", "2,0"), /later version/, { strict: true });
});

/** A message of protocol buffers from [field, value] pairs; a value that is a list is a message of its own. */
type Field = readonly [number, number | readonly Field[]];
function message(fields: readonly Field[]): number[] {
  const varint = (value: number): number[] => {
    const bytes: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    return [...bytes, rest];
  };
  return fields.flatMap(([field, value]) => {
    if (typeof value === "number") return [...varint(field * 8), ...varint(value)];
    const inner = message(value);
    return [...varint(field * 8 + 2), ...varint(inner.length), ...inner];
  });
}

test("malloc-bench: all four calls, absent ids, unknown fields, in pieces of any length", async () => {
  const lines: readonly Field[] = [
    [
      1,
      [
        [
          1,
          [
            [1, 0],
            [2, 100],
          ],
        ],
      ],
    ], // malloc
    [
      1,
      [
        [
          4,
          [
            [1, 1],
            [2, 3],
            [3, 8],
          ],
        ],
      ],
    ], // calloc
    [
      1,
      [
        [
          3,
          [
            [1, 0],
            [2, 0],
            [3, 300],
          ],
        ],
      ],
    ], // realloc in place of its id
    [
      1,
      [
        [
          1,
          [
            [1, 2],
            [2, 64],
            [3, 32],
          ],
        ],
      ],
    ], // malloc with an alignment
    [1, [[2, [[2, 5]]]]], // free(NULL)
    [1, [[2, [[1, 1]]]]],
    [1, [[9, [[1, 1]]]]], // a call of a later version
    [1, [[1, [[2, 7]]]]], // a malloc that failed
    [
      1,
      [
        [
          3,
          [
            [1, 1],
            [3, 9],
          ],
        ],
      ],
    ], // realloc(NULL)
    [2, 3],
  ];
  const bytes = Uint8Array.from(message(lines));
  const found = await read(bytes, { strict: true });
  assert.is(found.format, "malloc-bench");
  assert.is(found.text, "a0:100 a1:24 a2:300 f0 a0:64/32 f1 a1:9");
  assert.is(found.facts.ignored, 2);
  const pieces = await readOperations(
    [...bytes].map((byte) => Uint8Array.of(byte)),
    { allocate() {}, free() {} },
  );
  assert.equal(pieces.facts, found.facts);
  const cut = await read(bytes.subarray(0, bytes.length - 5));
  assert.is(cut.skipped, 1);
});

test("valgrind: calls among other lines, C++ operators, one process", async () => {
  const text = [
    "==47== Memcheck, a memory error detector",
    "--47-- malloc(24) = 0x4A5C040",
    "hello from the program",
    "--47-- calloc(4,16) = 0x4A5C0A0",
    "--47-- realloc(0x4A5C040,48)malloc(48) = 0x4A5C120",
    "--47-- realloc(0x4A5C120,96) = 0x4A5C120",
    "--48-- free(0x4A5C0A0)",
    "--47-- _Znwm(8) = 0x1",
    "--47-- _ZnwmSt11align_val_t(size 100, al 64) = 0x2",
    "--47-- memalign(al 32, size 10) = 0x3",
    "--47-- free(0x0)",
    "--47-- _ZdlPvm(0x1)",
    "--47-- free(0x4A5C0A0)",
  ].join("\n");
  const found = await read(text, { strict: true });
  assert.is(found.format, "valgrind");
  assert.is(found.text, "a0:24 a1:64 a2:48 f0 a0:96 f2 a2:8 a3:100/64 a4:10/32 f2 f1");
});

test("plain: times and owners, comments anywhere, alignment and thread", async () => {
  const found = await read(
    "# mine\nt,5\no,rx queue 3\na,x,100,64,2\n# more\nt,9\no,tx\na,y,8\nr,x,z,200\nf,y,1\nf,z\n",
    {
      strict: true,
    },
  );
  assert.is(found.format, "plain");
  assert.is(found.text, "a0:100/64 a1:8 a2:200 f0 f1 f2");
  assert.equal(found.times, [5, 9, 9]);
  assert.equal(found.owners, ["rx queue 3", "tx", "tx"]);
  await refused("a,1,8,3\n", /power of two/, { strict: true });
  await refused(`a,${"x".repeat(65)},8\n`, /64 characters/, { strict: true });
});

test("an event log is a recording", async () => {
  const pieces: Uint8Array[] = [];
  const writer = new LogWriter({ write: (bytes) => pieces.push(bytes) }, {});
  for (const line of [
    "1 0 p0 DISPATCH nic0 NdisMAllocateSharedMemoryAsyncEx 1554 uncached -> PENDING #1",
    "2 10 p0 PASSIVE nic0 complete #1 1554 -> 0x400001000000 0x1000000",
    "3 10 p0 PASSIVE nic0 NdisMAllocateSharedMemory 8192 cached -> 0x400001002000 0x1002000",
    "4 10 p0 PASSIVE nic0 NdisMAllocateSharedMemory 8192 cached -> null exhausted",
    "5 20 p0 PASSIVE nic0 NdisMFreeSharedMemory 1554 0x400001000000",
  ])
    writer.line(line);
  writer.flush();
  const cut = await read(Buffer.concat(pieces));
  assert.equal([cut.text, cut.mended], ["a0:1554 a1:8192 f0", 1]);
  writer.end();
  const found = await read(Buffer.concat(pieces), { strict: true });
  assert.is(found.format, "event-log");
  assert.equal(found.owners, ["nic0", "nic0"]);
  assert.equal(found.left, [{ slot: 1, bytes: 8192, operation: 2, line: 3, owner: "nic0" }]);
  assert.is(found.facts.ignored, 1);
});

test("--format forces a form; what holds no calls is named", async () => {
  assert.is((await read("5: malloc 0x1 5\nAlloc(9),\n", { format: "wee_alloc" })).text, "a0:9");
  for (const name of FORMAT_NAMES) {
    try {
      await read("\u0000\u0001", { format: name });
      assert.unreachable();
    } catch (error) {
      assert.ok(error instanceof ShmemError && error.code === "BAD_TRACE", name);
    }
  }
  try {
    await read("Alloc(9),\n", { format: "tar" });
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof ShmemError && error.code === "INVALID_ARGUMENT" && error.message.includes("heaptrack"));
  }
  await refused("desc: (none)\ncmd: ls\n", /massif/);
  await refused("heap profile: 1: 2 [3: 4] @ heapprofile\n", /jemalloc/);
  await refused("1, 158.5, 19.5\n", /size profile/);
  await refused('{"a":1}', /JSON/);
});

test("a line without an end is passed over, and the rest is read", async () => {
  const found = await read(`Alloc(5),\n${"x".repeat(200_000)}\nFree(0),\n`);
  assert.equal([found.text, found.skipped], ["a0:5 f0", 1]);
});

const CASES = join("..", "shared", "cases", "recordings");
if (existsSync(CASES)) {
  for (const name of readdirSync(CASES)) {
    test(`the case ${name} is read without a note`, async () => {
      const found = await read(readFileSync(join(CASES, name)), { strict: true });
      assert.ok(found.facts.allocations > 0);
    });
  }
} else test.skip(`the inputs that went wrong, skipped: no ${CASES}`);

test.run();
