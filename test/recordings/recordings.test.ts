/**
 * Recordings: every format is read as it is meant, and a hostile one is refused with line and column (misuse K01 to K07).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FREE, type Recording, type RecordingOptions, readRecording } from "../../bench/workloads/index.js";
import { ShmemError } from "../../bindings/core/index.js";
import { crc32 } from "../../src/recordings/unpack/zip.js";

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

function read(text: string | Uint8Array, options: RecordingOptions = {}): Promise<Recording> {
  return readRecording(typeof text === "string" ? bytesOf(text) : text, options);
}

/** Operations as text: `a0:64` allocates 64 bytes into slot 0, `f0` frees it; `|` is where the recording ends. */
function shown({ ops, end, total }: Recording): string {
  const one = (i: number): string => {
    const word = ops[2 * i] as number;
    return (word & FREE) !== 0 ? `f${word & ~FREE}` : `a${word}:${ops[2 * i + 1]}`;
  };
  const all = Array.from({ length: total }, (_, i) => one(i));
  return `${all.slice(0, end).join(" ")} | ${all.slice(end).join(" ")}`.trim();
}

/** Refused in strict reading. */
async function refused(text: string | Uint8Array, at: string, options: RecordingOptions = {}): Promise<void> {
  let error: unknown;
  try {
    await read(text, { strict: true, ...options });
  } catch (thrown) {
    error = thrown;
  }
  const label = typeof text === "string" ? JSON.stringify(text.slice(0, 80)) : `${text.length} bytes`;
  assert.ok(error instanceof ShmemError, `${label} was not refused: ${error}`);
  assert.is(error.code, "BAD_TRACE", label);
  assert.is(error.field, at, `${label}: ${error.message}`);
  const [line, column] = at.split(":");
  assert.match(error.message, `line ${line}, column ${column}`);
}

test("wee_alloc: blocks are numbered by their allocation", async () => {
  const recording = await read("Alloc(552),\nAlloc(8),\nFree(0),\nAlloc(16),\n");
  assert.is(recording.format, "wee_alloc");
  assert.is(shown(recording), "a0:552 a1:8 f0 a0:16 | f0 f1");
  assert.equal(recording.facts, {
    skipped: 0,
    mended: 0,
    invented: 0,
    notes: [],
    allocations: 3,
    frees: 1,
    reallocations: 0,
    ignored: 0,
    peakBytes: 560,
    peakBlocks: 2,
    longestBytes: 552,
    leftLive: 2,
    leftBytes: 24,
  });
});

test("android: all calls, and pointers that come back", async () => {
  const text = [
    "186: malloc 0xb6027400 1024",
    "187: calloc 0xb6003090 2 8",
    "186: free 0x0",
    "186: free 0xb6027400",
    "186: memalign 0xb6027400 64 100",
    "186: realloc 0xb603d060 0xb6003090 25",
    "186: realloc 0xb6003090 0x0 5",
    "187: thread_done 0x0",
    "187: thread_done",
  ].join("\n");
  const recording = await read(text);
  assert.is(recording.format, "android");
  assert.is(shown(recording), "a0:1024 a1:16 f0 a0:100 a2:25 f1 a1:5 | f0 f1 f2");
  assert.is(recording.facts.reallocations, 1);
});

test("minimalloc: lifetimes in the order of time, frees before allocations", async () => {
  const recording = await read("id,lower,upper,size\nb1,0,3,4\nb2,3,9,8\nb3,0,9,16\n");
  assert.is(recording.format, "minimalloc");
  assert.is(shown(recording), "a0:4 a1:16 f0 a0:8 f0 f1 |");
  assert.is(recording.facts.peakBytes, 24);
});

test("plain: allocate, free, reallocate", async () => {
  const recording = await read("# anything\na,1,100,8,0\nr,1,2,200,0\na,3,50\nf,2,0\nf,3\n");
  assert.is(recording.format, "plain");
  assert.is(shown(recording), "a0:100 a1:200 f0 a0:50 f1 f0 |");
  assert.is(recording.facts.peakBytes, 250);
});

test("rep: CS:APP's form, with a header that is true", async () => {
  const recording = await read("20000\n2\n5\n1\na 0 512\na 1 128\nr 0 640\nf 1\nf 0\n");
  assert.is(recording.format, "rep");
  assert.is(shown(recording), "a0:512 a1:128 a2:640 f0 f1 f2 |");
});

test("a block of no bytes is a block", async () => {
  assert.is(shown(await read("Alloc(0),\nFree(0),\n")), "a0:1 f0 |");
});

test("misuse K01: byte-order mark, CRLF and a missing or doubled last line feed are harmless", async () => {
  const expected = "a0:5 f0 |";
  for (const text of [
    "Alloc(5),\nFree(0),",
    "Alloc(5),\r\nFree(0),\r\n",
    "\xef\xbb\xbfAlloc(5),\nFree(0),\n",
    "Alloc(5),\nFree(0),\n\n",
    "Alloc(5)\nFree(0)\n",
  ])
    assert.is(shown(await read(text)), expected, JSON.stringify(text));
});

test("misuse K01: truncated, empty, with garbage, a NUL or a stray mark", async () => {
  await refused("Alloc(5),\nFree(", "2:6");
  await refused("Alloc(5),\nFre", "2:1");
  await refused("Alloc(5),x\n", "1:10");
  await refused("Alloc(5),\n\nFree(0),\n", "2:1");
  await refused("Alloc(5),\nFree(0)\0,\n", "2:8");
  await refused("Alloc(5),\n\xef\xbb\xbfFree(0),\n", "2:1");
  await refused("Alloc(5),\rFree(0),\n", "1:10");
  await refused("", "1:1");
  await refused("\n\n", "1:1");
  await refused("hello\n", "1:1");
  await refused("id,lower,upper,size\n", "1:1");
  await refused("id,lower,upper,size\n1,5,5,8\n", "2:5");
  await refused("id,lower,upper,size\n1,1,5,8\n1,1,5,8\n", "3:1");
  await refused("# c\nz,1\n", "2:1");
  await refused("1: malloc 0x10 8\n1: mallok 0x20 8\n", "2:4");
});

test("misuse K02: unknown, doubled and live ids are refused with their line in strict reading", async () => {
  await refused("Alloc(5),\nFree(1),\n", "2:1");
  await refused("Alloc(5),\nFree(0),\nFree(0),\n", "3:1");
  await refused("1: malloc 0x10 8\n1: malloc 0x10 8\n", "2:1");
  await refused("# c\na,1,5\nf,1\nr,1,2,8\n", "4:1");
  await refused("# c\na,1,5\na,2,5\nr,1,2,8\n", "4:1");
});

test("misuse K02: the same lines are counted in lenient reading, and free nothing that was not allocated", async () => {
  const text =
    "1: free 0x99\n1: malloc 0x10 8\n1: malloc 0x10 16\n1: free 0x10\n1: free 0x10\n1: realloc 0x20 0x10 4\nnonsense\n";
  const { facts, ...recording } = await read(text);
  assert.is(shown({ facts, ...recording }), "a0:8 f0 a0:16 f0 a0:4 | f0");
  assert.equal([facts.skipped, facts.mended, facts.invented], [3, 1, 1]);
  assert.equal(
    facts.notes.map(({ kind, count, firstLine }) => [kind, count, firstLine]),
    [
      ["skipped", 2, 1],
      ["invented", 1, 3],
      ["mended", 1, 6],
      ["skipped", 1, 7],
    ],
  );
  assert.is((await read("1: malloc 0x10 8\n1: malloc 0x20 8\n1: realloc 0x20 0x10 4\n")).facts.invented, 1);
});

test("misuse K03: ids are exact or refused, sizes are plain decimal", async () => {
  const ids = ["2147483648", "4294967296", "9007199254740992", "9007199254740993", "-1", "1e3", "0x10", "5", "05"];
  const recording = await read(`# c\n${ids.map((id, i) => `a,${id},${i + 1}`).join("\n")}\nf,9007199254740993\n`);
  assert.is(recording.facts.peakBlocks, ids.length);
  assert.is(shown(recording).split(" | ")[0]?.split(" ").at(-1), "f3");
  assert.is(recording.slots, ids.length);
  await refused("# c\na, 5,8\n", "2:3");
  await refused("Alloc(1),\nFree(9007199254740993),\n", "2:6");
  for (const size of ["-1", "1e3", "0x10", "1.5", " 5", "9007199254740992", "99999999999999999999", "NaN"])
    await refused(`# c\na,1,${size}\n`, "2:5");
  await refused("1: calloc 0x10 9007199254740991 2\n", "1:33");
  await refused("1: malloc 0x10 4294967296\n", "1:1", { strict: false });
});

test("misuse K04: ids that JavaScript's own objects have are plain data", async () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const text = `# c\n${names.map((name, i) => `a,${name},${i + 1}`).join("\n")}\n${names.map((name) => `f,${name}`).join("\n")}\n`;
  assert.is(shown(await read(text)), "a0:1 a1:2 a2:3 a3:4 f0 f1 f2 f3 |");
  await refused("# c\nf,__proto__\n", "2:1");
});

test("misuse K05: a header sizes nothing, and a false one is reported", async () => {
  const body = "a 0 512\nf 0\n";
  await refused(`20000\n1\n1000000000000\n1\n${body}`, "6:1");
  await refused(`20000\n1\n1\n1\n${body}`, "6:1");
  await refused(`20000\n4000000000\n2\n1\n${body}`, "6:1");
  const lenient = await read(`20000\n1\n1000000000000\n1\n${body}`);
  assert.is(shown(lenient), "a0:512 f0 |");
  assert.is(lenient.facts.mended, 1);
});

/** A zip of one file, with header fields that can be damaged. */
function zipOf(
  text: string,
  damage: Partial<Record<"length" | "local" | "files" | "method" | "crc" | "flags", number>> = {},
): Uint8Array {
  const packed = deflateRawSync(bytesOf(text));
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(damage.flags ?? 0, 8);
  entry.writeUInt16LE(damage.method ?? 8, 10);
  entry.writeUInt32LE(damage.crc ?? crc32(0, bytesOf(text)), 16);
  entry.writeUInt32LE(damage.length ?? packed.length, 20);
  entry.writeUInt32LE(damage.local ?? 0, 42);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(damage.files ?? 1, 10);
  end.writeUInt32LE(local.length + packed.length, 16);
  return Buffer.concat([local, packed, entry, end]);
}

test("a zip and a gzip are read as what they hold", async () => {
  const text = "Alloc(5),\nFree(0),\n";
  assert.is(shown(await read(zipOf(text))), "a0:5 f0 |");
  assert.is(shown(await read(gzipSync(text))), "a0:5 f0 |");
});

test("misuse K06: what expands without end stops at the budget, lengths beyond the file are refused", async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, "Alloc(5),\n"));
  assert.ok(bomb.length < 200_000);
  await refused(bomb, "1:1", { mostBytes: 1_000_000 });
  await refused("Alloc(5),\nAlloc(5),\nAlloc(5),\n", "3:1", { mostOperations: 2 });
  await refused("Alloc(5),\nAlloc(5),\n", "1:1", { mostBytes: 10 });
  const text = "Alloc(5),\nFree(0),\n";
  await refused(zipOf(text, { length: 0xffffffff }), "1:1");
  await refused(zipOf(text, { local: 0xfffffff0 }), "1:1");
  await refused(zipOf(text, { files: 0 }), "1:1");
  await refused(zipOf(text, { method: 93 }), "1:1");
  await refused(zipOf(text, { crc: 1 }), "1:1");
  await refused(zipOf(text, { flags: 1 }), "1:1");
  const whole = zipOf("Alloc(5),\n".repeat(1000));
  for (let length = 4; length < whole.length; length += 1) await refused(whole.subarray(0, length), "1:1");
  const damaged = gzipSync(text);
  damaged[14] = (damaged[14] as number) ^ 0xff;
  await refused(damaged, "1:1");
});

test("misuse K07: a line of 100 MB is refused at the limit", async () => {
  await refused(Buffer.alloc(100_000_000, "1"), "1:65537");
});

test("misuse K07: a million operations are read with memory for their live blocks", async () => {
  const lines: string[] = [];
  for (let i = 0; i < 500_000; i += 1) lines.push(`Alloc(8),\nFree(${i}),`);
  const recording = await read(lines.join("\n"));
  assert.is(recording.total, 1_000_000);
  assert.is(recording.slots, 1);
});

const TRACES = join("..", "shared", "traces");
const MANIFEST = join(TRACES, "MANIFEST.csv");

if (!existsSync(MANIFEST)) {
  test.skip(`recordings of real programs, skipped: no ${MANIFEST}`);
} else {
  const [header = "", ...rows] = readFileSync(MANIFEST, "utf8").trim().split("\n");
  const keys = header.split(",");
  const fileOf = (name: string): string => {
    if (name.startsWith("wee-")) return join(TRACES, "wee_alloc", `${name.slice(4)}.trace`);
    if (name.startsWith("mm-")) return join(TRACES, "minimalloc", `${name.slice(3)}.1048576.csv`);
    return join(TRACES, "android", "surfaceflinger.zip");
  };
  for (const row of rows) {
    const entry = Object.fromEntries(row.split(",").map((value, i) => [keys[i], value]));
    test(`the recording ${entry.name} has the counts of its manifest`, async () => {
      const { facts } = await read(readFileSync(fileOf(entry.name ?? "")), { strict: true });
      const counts = [facts.allocations, facts.frees, facts.reallocations, facts.peakBlocks, facts.leftLive];
      const { allocs, frees, reallocs, peak_live_count, left_live } = entry;
      assert.equal(counts, [allocs, frees, reallocs, peak_live_count, left_live].map(Number));
      assert.is(facts.longestBytes, Number(entry.max_request));
      assert.is(facts.peakBytes, Number(entry.peak_live_bytes));
    });
  }
}

test.run();
