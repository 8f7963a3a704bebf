#!/usr/bin/env node
/** The program `ndis-shmem`: the command line of this process, its terminal, its signals, its exit code. */
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EXIT } from "../report/index.js";
import { LEAST_COLUMNS } from "./command.js";
import { main } from "./main.js";

// `ndis-shmem run | head` closes the pipe while we write: that is the reader's right, and no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(process.exitCode ?? 0);
});

/** Signals come between two turns of the event loop, so a command that never waits must let one pass now and then. */
const TURN_MS = 50;
let turnedAt = performance.now();
let isInterrupted = false;

// The first Ctrl-C lets the command end and show what was done; the second ends it at once.
process.on("SIGINT", () => {
  if (isInterrupted) process.exit(EXIT.interrupted);
  isInterrupted = true;
  process.stderr.write("\nndis-shmem: interrupted; once more ends it at once\n");
});

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  progress: process.stderr.isTTY === true,
  columns: Math.max(LEAST_COLUMNS, process.stdout.columns ?? process.stderr.columns ?? 80),
  input: () => process.stdin,
  isInterrupted: () => {
    if (isInterrupted || performance.now() - turnedAt < TURN_MS) return isInterrupted;
    return nextTurn().then(() => {
      turnedAt = performance.now();
      return isInterrupted;
    });
  },
});
