/** Captures in pieces: the same frames whatever the pieces, gzip sound and damaged, and no more memory than a piece. */
import * as assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import { ShmemError } from "../../bindings/index.js";
import { captureSource, openCapture, readCapture, writeCapture } from "../../src/capture/index.js";
import { contentOf, filled, gzipped, joined, Pcapng, streamed } from "./files.js";

const twoHosts = new Uint8Array(readFileSync("examples/traffic/two-hosts.pcap"));
const make = new Pcapng(false);
const START = 1_700_000_000_000_000n;
const pcapng = joined(
  make.section(),
  make.interface(1),
  make.block(0xbad, filled(100, 9)),
  ...Array.from({ length: 40 }, (_, at) => make.enhanced(0, START + BigInt(at), filled(at * 7, at))),
);
/** A record's length, wrong: the reader has to search. */
const damaged = twoHosts.slice();
new DataView(damaged.buffer).setUint32(24 + 8, 0xfff_ffff, true);
const damagedNg = pcapng.slice();
new DataView(damagedNg.buffer).setUint32(28 + 20 + 112 + 4, 0xffff_0000, false);

const files: readonly (readonly [string, Uint8Array])[] = [
  ["pcap", twoHosts],
  ["pcap, damaged", damaged],
  ["pcap, cut", twoHosts.subarray(0, twoHosts.length - 11)],
  ["pcapng", pcapng],
  ["pcapng, damaged", damagedNg],
  ["pcapng, cut", pcapng.subarray(0, pcapng.length - 5)],
];

for (const [name, file] of files) {
  test(`streaming: ${name}: in pieces of any size, packed or not, the frames are those of the whole file`, async () => {
    const whole = readCapture(file);
    assert.ok(whole.frames.length > 30, "there is something to compare");
    for (const size of [1, 7, 16, 1000, 65_536, file.length]) {
      if (size === 1 && file.length > 100_000) continue;
      const read = await streamed(file, size);
      assert.deepEqual(contentOf(read), contentOf(whole), `pieces of ${size}`);
      assert.deepEqual(read.summary, whole.summary);
    }
    const packed = await streamed(gzipped(file), 100);
    assert.deepEqual(contentOf(packed), contentOf(whole));
    assert.deepEqual(packed.summary, { ...whole.summary, compressed: true });
  });
}

test("streaming: several gzip members in a row are one file", async () => {
  const half = twoHosts.length >> 1;
  const read = await streamed(joined(gzipped(twoHosts.subarray(0, half)), gzipped(twoHosts.subarray(half))), 999);
  assert.deepEqual(contentOf(read), contentOf(readCapture(twoHosts)));
});

test("streaming: a gzip file that is cut or damaged gives what could be unpacked, and says so", async () => {
  const packed = gzipped(twoHosts);
  const flipped = packed.slice();
  const middle = flipped.length >> 1;
  flipped[middle] = (flipped[middle] ?? 0) ^ 0xff;
  for (const [kind, file] of [
    ["cut", packed.subarray(0, packed.length >> 1)],
    ["flipped", flipped],
  ] as const) {
    const { frames, summary } = await streamed(file, 4096);
    assert.ok(frames.length > 50, `${frames.length} frames`);
    assert.equal(summary.skipped["gzip-damaged"], 1);
    // What a flipped bit unpacks to is wrong from there on, and nobody can tell before the sum at the end.
    if (kind === "cut")
      assert.deepEqual(contentOf({ frames }), contentOf(readCapture(twoHosts)).slice(0, frames.length));
  }
});

test("streaming: what is no capture is refused by its first bytes, however long it is", async () => {
  let given = 0;
  const zeros = function* (): Generator<Uint8Array> {
    for (;;) {
      given += 65_536;
      yield filled(65_536, 0);
    }
  };
  const reader = openCapture(zeros());
  await assert.rejects(reader.next(), (error) => error instanceof ShmemError && error.code === "BAD_CAPTURE");
  await reader.close();
  assert.ok(given <= 2 * 65_536, `${given} bytes were asked for`);
  await assert.rejects(streamed(gzipped(gzipped(twoHosts)), 4096), /gzip/);
  await assert.rejects(streamed(new Uint8Array(0), 1), /no capture: 0 bytes/);
});

test("streaming: a failure of the input comes out as itself, packed or not, and the input is closed", async () => {
  for (const file of [twoHosts, gzipped(twoHosts)]) {
    let isClosed = false;
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield file.subarray(0, 5000);
        throw new RangeError("the disk is gone");
      } finally {
        isClosed = true;
      }
    };
    const reader = openCapture(failing());
    await assert.rejects(
      async () => {
        while ((await reader.next()).length > 0);
      },
      (error) => error instanceof RangeError && error.message === "the disk is gone",
    );
    assert.ok(isClosed);
  }
});

test("streaming: closing early lets go of the input", async () => {
  for (const pack of [(bytes: Uint8Array) => bytes, gzipped]) {
    let isClosed = false;
    const file = pack(twoHosts);
    const endless = function* (): Generator<Uint8Array> {
      try {
        for (let at = 0; at < file.length; at += 512) yield file.subarray(at, at + 512);
      } finally {
        isClosed = true;
      }
    };
    const reader = openCapture(endless());
    assert.ok((await reader.next()).length > 0);
    await reader.close();
    assert.ok(isClosed);
    assert.deepEqual(await reader.next(), []);
  }
});

test("streaming: two hundred megabytes take no more memory than two", async () => {
  const record = writeCapture([{ timeNs: 0, bytes: filled(1500, 7) }], { startSeconds: 5 }).subarray(24);
  const chunk = joined(...Array.from({ length: 690 }, () => record));
  const heldBytes = async (chunks: number): Promise<number> => {
    let most = 0;
    const input = function* (): Generator<Uint8Array> {
      yield writeCapture([]);
      for (let at = 0; at < chunks; at += 1) yield chunk.slice();
    };
    const reader = openCapture(input());
    let frames = 0;
    for (let batch = await reader.next(); batch.length > 0; batch = await reader.next()) {
      frames += batch.length;
      if (frames % 6900 < batch.length) most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    assert.equal(frames, chunks * 690);
    return most;
  };
  await heldBytes(2);
  const most = await heldBytes(200);
  assert.ok(most < 120e6, `${most} bytes of buffers`);
});

test("streaming: a source opens as often as it is asked to", async () => {
  const source = captureSource(() => [twoHosts]);
  for (const one of [source, readCapture(twoHosts)]) {
    for (const round of [1, 2]) {
      const reader = one.open();
      let frames = 0;
      for (let batch = await reader.next(); batch.length > 0; batch = await reader.next()) frames += batch.length;
      assert.equal(frames, 579, `round ${round}`);
      assert.equal(reader.summary.frames, 579);
    }
  }
});

const CASES = "../shared/cases/captures";

if (existsSync(CASES)) {
  const wanted: Readonly<Record<string, { frames: number; mended?: object; skipped?: object }>> = {
    "caplen-gt-len-16.pcap": { frames: 2, mended: { "original-length-raised": 2 } },
    "frame-65549-gso.pcap": { frames: 2 },
    "gap-200-days.pcap": { frames: 2, mended: { "gap-shortened": 1 } },
    "link113.pcap": { frames: 3 },
    "ok.pcap.gz": { frames: 3 },
    "truncated-record.pcap": { frames: 2, skipped: { "cut-record": 1 } },
    "usec-over.pcap": { frames: 2, mended: { "fraction-carried": 1 } },
    "v23.pcap": { frames: 3 },
  };
  for (const name of readdirSync(CASES)) {
    test(`field report: ${name} is read, and what was mended or skipped is counted`, async () => {
      const { frames, summary } = await streamed(new Uint8Array(readFileSync(`${CASES}/${name}`)), 4096);
      const expected = wanted[name];
      assert.ok(expected !== undefined, `${name} has no expectation here`);
      assert.equal(frames.length, expected.frames);
      assert.deepEqual(summary.mended, expected.mended ?? {});
      assert.deepEqual(summary.skipped, expected.skipped ?? {});
    });
  }
} else {
  test.skip(`field reports: skipped: ${CASES} is not here`, () => {});
}

test.run();
