/** Event log files: what is written is read back, to the byte and to the digest; damage is refused; a cut file is read as far as it is whole. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import { type LogEnd, type LogHeader, type LogKind, LogReader, LogWriter } from "../../src/recordings/index.js";

interface Read {
  readonly header: LogHeader | undefined;
  readonly lines: readonly string[];
  readonly kinds: readonly LogKind[];
  readonly end: LogEnd;
}

function read(bytes: Uint8Array, piece = bytes.length): Read {
  const lines: string[] = [];
  const kinds: LogKind[] = [];
  let header: LogHeader | undefined;
  const reader = new LogReader(
    (found) => {
      header = found;
    },
    (event) => {
      lines.push(event.shape.line(event));
      kinds.push(event.shape.kind);
    },
  );
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  return { lines, kinds, end: reader.end(), header };
}

function written(lines: readonly string[], header: LogHeader = {}): { bytes: Buffer; digest: string } {
  const pieces: Uint8Array[] = [];
  const writer = new LogWriter({ write: (bytes) => pieces.push(bytes.slice()) }, header);
  for (const line of lines) writer.line(line);
  writer.end();
  const bytes = Buffer.concat(pieces);
  assert.is(writer.bytes, bytes.length);
  return { bytes, digest: writer.digest() };
}

const LINES = [
  "1 0 p0 PASSIVE - DriverEntry nic -> SUCCESS",
  "2 0 p0 PASSIVE nic0 Initializing",
  "3 5000 p1 DIRQL 5 nic0 NdisMAllocateSharedMemoryAsyncEx 1554 uncached -> PENDING #1",
  "3 5000 p0 DISPATCH nic0 NdisMAllocateSharedMemoryAsyncEx 1554 uncached -> PENDING #2",
  "3 5000 p0 PASSIVE - serve 2 in one call",
  "4 5001 p0 PASSIVE nic0 complete #1 1554 -> 0x400001000000 0x1000000",
  "5 5001 p0 PASSIVE nic0 complete #2 1554 -> null",
  "9 5001 p0 PASSIVE nic0 NdisMAllocateSharedMemory 8192 cached -> 0x400001002000 0x1002000",
  "900 90071992547409 p0 PASSIVE nic0 NdisMFreeSharedMemory 1554 0x400001000000",
  "901 90071992547409 p0 PASSIVE nic0 reclaim 0x400001002000 8192",
  "901 9007199254740991 p0 PASSIVE nic0 drop #9007199254740991 4",
  "902 9007199254740991 p0 PASSIVE nic0 complete #0 1 -> 0x0 0x1fffffffffffff",
  "903 9007199254740991 p0 PASSIVE nic0 complete #5 7 -> 0x1fffffffffffff 0x0",
];

test("every line comes back as it was written, whatever the pieces", () => {
  const { bytes, digest } = written(LINES, { seed: 7 });
  for (const piece of [bytes.length, 1, 2, 7]) {
    const { header, lines, end } = read(bytes, piece);
    assert.equal(header, { seed: 7 });
    assert.equal(lines, LINES);
    assert.equal(end, { events: LINES.length, complete: true, digest });
  }
  assert.equal(read(bytes).kinds, [
    "other",
    "state",
    "request",
    "request",
    "serve",
    "complete",
    "complete-null",
    "allocate",
    "free",
    "reclaim",
    "drop",
    "complete",
    "complete",
  ]);
});

test("lines that fit no shape come back too: odd numbers, marks, no head, time that goes back, long text", () => {
  const odd = [
    "no head at all",
    "",
    "5 10 p0 PASSIVE a 007 0x00 0xFF 1.5 -3 1e5 v2 9007199254740992 99999999999999999999",
    "4 10 p0 PASSIVE a the step goes back",
    "6 9 p0 PASSIVE a the time goes back",
    "7 11 p0 PASSIVE a \u0001 \u0002",
    `8 12 p0 PASSIVE a ${Array.from({ length: 100 }, (_, i) => i).join(" ")}`,
    `9 12 p0 PASSIVE a ${"x".repeat(10_000)}`,
    "10 12 p0 PASSIVE a \u00fc \u{1f600} \n",
  ];
  const { bytes } = written(odd);
  assert.equal(read(bytes, 3).lines, odd);
});

test("an allocate, a complete and a free take at most 8 bytes each", () => {
  // Addresses as an allocator gives them: near each other, in no order.
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 8;
  };
  const lines: string[] = [];
  const live: { length: number; at: number }[] = [];
  for (let i = 0; i < 20_000; i++) {
    const length = 64 + (random() % 4000);
    const at = 0x400000000000 + 4096 * (random() % 16384);
    lines.push(
      `${3 * i} ${40 * i} p0 DISPATCH nic0 NdisMAllocateSharedMemoryAsyncEx ${length} uncached -> PENDING #${i}`,
    );
    lines.push(
      `${3 * i + 1} ${40 * i + 7} p0 PASSIVE nic0 complete #${i} ${length} -> 0x${at.toString(16)} 0x${(at - 0x3fff00000000).toString(16)}`,
    );
    live.push({ length, at });
    if (live.length > 64) {
      const [freed] = live.splice(random() % live.length, 1) as [(typeof live)[0]];
      lines.push(
        `${3 * i + 2} ${40 * i + 7} p0 DISPATCH nic0 NdisMFreeSharedMemory ${freed.length} 0x${freed.at.toString(16)}`,
      );
    }
  }
  const { bytes } = written(lines);
  const each = bytes.length / lines.length;
  assert.ok(each <= 8, `${each.toFixed(2)} bytes an event`);
  assert.equal(read(bytes).lines, lines);
});

test("a file that was cut off is read as far as it is whole, and says so", () => {
  const { bytes } = written(LINES);
  const whole = read(bytes);
  let last = 0;
  for (let length = LINES[0]?.length ?? 0; length < bytes.length; length++) {
    const { lines, end } = read(bytes.subarray(0, length));
    assert.equal(lines, whole.lines.slice(0, lines.length));
    assert.is(end.complete, false);
    assert.ok(lines.length >= last);
    last = lines.length;
  }
  assert.is(last, LINES.length);
});

test("damage is refused with its place, or read as something; nothing else is thrown", () => {
  const { bytes } = written(LINES);
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 0x80]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] as number) ^ bit;
      try {
        const { end, lines } = read(damaged);
        // The digest at the end finds every change of a line.
        if (end.complete) assert.equal(lines, LINES);
      } catch (error) {
        assert.ok(error instanceof ShmemError && error.code === "BAD_TRACE", String(error));
        assert.match(error.message, /byte \d+/);
      }
    }
  }
  for (const [text, why] of [
    ["", /header/],
    ["NDISLOG2", /version/],
    ["NDISLOG1\u0001[", /JSON/],
    ["NDISLOG1\u0002[]", /object/],
    ["NDISLOG1\u0002{}\u0009\u0000", /never defined/],
  ] as const)
    assert.throws(() => read(Buffer.from(text, "latin1")), why, text);
});

test.run();
