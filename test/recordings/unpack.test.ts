/** Compressed recordings: what is right is unpacked, what is damaged is never handed on as if it were right (misuse K06). */
import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import { unpack } from "../../src/recordings/unpack/index.js";
import { Xxh64 } from "../../src/recordings/unpack/xxh64.js";

const hex = ([high, low]: readonly [number, number]): string =>
  high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");

function hashOf(bytes: Uint8Array, piece = bytes.length || 1): string {
  const hash = new Xxh64();
  for (let at = 0; at < bytes.length; at += piece) hash.update(bytes.subarray(at, at + piece));
  return hex(hash.digest());
}

test("XXH64 with seed 0: published values, and the same in pieces", () => {
  for (const [text, expected] of [
    ["", "ef46db3751d8e999"],
    ["a", "d24ec4f1a98c6e5b"],
    ["abc", "44bc2cf5ad770999"],
    ["Nobody inspects the spammish repetition", "fbcea83c8a378bf1"],
  ] as const)
    assert.is(hashOf(Buffer.from(text)), expected, text);
  const long = Uint8Array.from({ length: 1000 }, (_, i) => (i * 2654435761) >>> 24);
  for (const piece of [1, 3, 31, 32, 33, 500]) assert.is(hashOf(long, piece), hashOf(long), String(piece));
});

async function unpacked(
  source: Uint8Array | Iterable<Uint8Array>,
  most = 2 ** 30,
): Promise<{ bytes: Buffer; cut: readonly string[] }> {
  const pieces: Uint8Array[] = [];
  const cut: string[] = [];
  for await (const piece of unpack(source, most, (why) => cut.push(why))) pieces.push(piece.slice());
  return { bytes: Buffer.concat(pieces), cut };
}

async function damaged(bytes: Uint8Array): Promise<string> {
  try {
    const found = await unpacked(bytes);
    return found.cut.length > 0 ? "cut" : found.bytes.toString("latin1");
  } catch (error) {
    assert.ok(error instanceof ShmemError && error.code === "BAD_TRACE", String(error));
    return "refused";
  }
}

/** What `zstd -19 -c` makes of the text below: no content size, a checksum, as heaptrack's own files. */
const FRAME = Buffer.from(
  [
    "KLUv/QRo3QYARhAjE5ArHb/0fdxd7Lq2bXnxgfFiWgIfABYAGwDJiMiHx4bGhcWExIPDgsKBwWU9954EzqY9TplSkLYJO3fu3Llz",
    "586du91ut9s0RubFZUXlxILoBKJTojPRWXSS6BCznOUsZznLWc5yljt3BoeY6AwTFqy2vTTmZeVk5GPjYuJh4eB6P7MoCXIYhegM",
    "ohNtqBGg9P1rDpCTgnQw8QFycrmJD8QJoxP6JuDSKLi5di0NWSE1yAKpP5aP7VF57I6qY+WIwsntZpdNbjW7aDLuzI0zc+PMnEEA",
    "D6QG+UG6xw==",
  ].join(""),
  "base64",
);
const TEXT = `v 10400 3\n${Array.from({ length: 40 }, (_, i) => `a ${(i + 16).toString(16)} 1\n+ ${i.toString(16)}\n`).join("")}${Array.from({ length: 40 }, (_, i) => `- ${i.toString(16)}\n`).join("")}`;

test("zstd: a frame, two in a row, one to be skipped between them, and in pieces of one byte", async () => {
  assert.is((await unpacked(FRAME)).bytes.toString(), TEXT);
  const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  assert.is((await unpacked(Buffer.concat([FRAME, skippable, FRAME]))).bytes.toString(), TEXT + TEXT);
  assert.is((await unpacked([...FRAME].map((byte) => Uint8Array.of(byte)))).bytes.toString(), TEXT);
  assert.is((await unpacked(gzipSync(FRAME))).bytes.toString(), TEXT);
});

test("zstd: every wrong bit is found, everything that is cut off is told, nothing goes on for ever", async () => {
  for (let bit = 0; bit < 8 * FRAME.length; bit++) {
    const bytes = Buffer.from(FRAME);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    const found = await damaged(bytes);
    // The text itself may come of it: a bit of the frame's header that the content does not depend on.
    if (!["cut", "refused", TEXT, bytes.toString("latin1")].includes(found))
      assert.unreachable(`bit ${bit} went unnoticed`);
  }
  for (let length = 5; length < FRAME.length; length++) assert.is(await damaged(FRAME.subarray(0, length)), "cut");
  assert.is(await damaged(Buffer.concat([FRAME, Buffer.from("text")])), "refused");
});

test("zstd: a block that repeats one byte stops at the budget; a window beyond reason is refused", async () => {
  const repeats = (count: number): Buffer => {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    const block = Buffer.from([0x02, 0x00, 0x10, 0x61]); // 128 KiB of `a`
    return Buffer.concat([head, ...Array.from({ length: count }, () => block), Buffer.from([0x01, 0x00, 0x00])]);
  };
  assert.is((await unpacked(repeats(4))).bytes.length, 4 * 131072);
  const pieces = unpacked(repeats(1000), 1_000_000);
  let error: unknown;
  await pieces.catch((thrown: unknown) => {
    error = thrown;
  });
  assert.ok(error instanceof ShmemError && /more than 1000000 bytes/.test(error.message));
  const window = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00]);
  assert.is(await damaged(window), "refused");
});

test("gzip: cut off is told, damaged is refused", async () => {
  const bytes = gzipSync(TEXT.repeat(50));
  assert.is((await unpacked(bytes)).bytes.toString(), TEXT.repeat(50));
  assert.is(await damaged(bytes.subarray(0, bytes.length - 20)), "cut");
  const wrong = Buffer.from(bytes);
  wrong[wrong.length - 6] = (wrong[wrong.length - 6] as number) ^ 1;
  assert.is(await damaged(wrong), "refused");
});

test("what is packed more than three times is refused", async () => {
  let bytes: Uint8Array = Buffer.from(TEXT);
  for (let layer = 0; layer < 3; layer++) bytes = gzipSync(bytes);
  assert.is((await unpacked(bytes)).bytes.toString(), TEXT);
  assert.is(await damaged(gzipSync(bytes)), "refused");
});

const program = spawnSync("zstd", ["--version"]);
if (program.error === undefined) {
  test("zstd: what the program makes of random and of repetitive data, at several levels", async () => {
    let state = 7;
    const random = Uint8Array.from({ length: 100_000 }, (_, i) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return i % 1000 < 700 ? 65 + (i % 26) : state >>> 24;
    });
    for (const options of [["-1"], ["-19"], ["--no-check"], ["--long=27"]]) {
      const { stdout } = spawnSync("zstd", ["-c", ...options], { input: random, maxBuffer: 2 ** 26 });
      assert.ok((await unpacked(stdout)).bytes.equals(random), options.join(" "));
    }
  });
} else test.skip("zstd: what the program makes, skipped: no zstd here");

test.run();
