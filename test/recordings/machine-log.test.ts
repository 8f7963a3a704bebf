/** The event log of a machine as a file: it changes nothing of the run, holds every line, and its lines about memory are understood. */

import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readCapture } from "../../src/capture/index.js";
import { DRIVERS } from "../../src/drivers/index.js";
import type { LogOptions } from "../../src/machine/index.js";
import { type LogHeader, type LogKind, LogReader } from "../../src/recordings/index.js";
import { play } from "../../src/run/index.js";

const capture = readCapture(readFileSync("examples/traffic/two-hosts.pcap"));

async function run(driver: (typeof DRIVERS)[number], log?: LogOptions, schedule: "fifo" | "random" = "random") {
  return play({ driver, capture, title: "t", seed: 3, schedule, wallMs: () => 0, ...(log !== undefined && { log }) });
}

for (const driver of DRIVERS) {
  test(`${driver.name}: the file has every line, and what it says of memory adds up`, async () => {
    const lines: string[] = [];
    const pieces: Uint8Array[] = [];
    const plain = await run(driver);
    const recorded = await run(driver, {
      file: { write: (bytes) => pieces.push(bytes) },
      onLine: (line) => lines.push(line),
      header: { run: { driver: driver.name, seed: 3, schedule: "random" } },
    });
    assert.is(recorded.report.digest, plain.report.digest);
    let header: LogHeader | undefined;
    const counts = new Map<LogKind, number>();
    const live = new Map<number, number>();
    const texts: string[] = [];
    const reader = new LogReader(
      (found) => {
        header = found;
      },
      ({ shape, values, step, timeNs }) => {
        counts.set(shape.kind, (counts.get(shape.kind) ?? 0) + 1);
        texts.push(shape.line({ step, timeNs, values }));
        const virtual = shape.virtualOf(values);
        if (shape.kind === "complete" || shape.kind === "allocate") live.set(virtual, shape.lengthOf(values));
        if (shape.kind === "free" || shape.kind === "reclaim") {
          assert.is(live.get(virtual), shape.lengthOf(values));
          live.delete(virtual);
        }
        if (shape.kind === "other") assert.not.match(shape.template, /Memory|complete|reclaim/);
      },
    );
    for (const piece of pieces) reader.push(piece);
    const end = reader.end();
    assert.equal(texts, lines);
    assert.equal(end, { events: lines.length, complete: true, digest: plain.report.digest });
    assert.is(header?.seed, 3);
    assert.is(header?.run?.driver, driver.name);
    assert.is(header?.zones?.length, 1);
    const { requests } = plain.report;
    assert.is(counts.get("request") ?? 0, requests.asynchronous);
    assert.is((counts.get("complete") ?? 0) + (counts.get("complete-null") ?? 0), requests.completed);
    assert.is(counts.get("free") ?? 0, requests.freed);
    assert.is(live.size, 0);
    assert.ok(pieces.reduce((sum, piece) => sum + piece.length, 0) / lines.length < 8);
  });
}

test.run();
