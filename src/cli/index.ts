#!/usr/bin/env node
/** The program `ndis-shmem`: the command line of this process, its terminal, its exit code. */
import { main } from "./main.js";

// `ndis-shmem run | head` closes the pipe while we write: that is the reader's right, and no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(process.exitCode ?? 0);
});

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  progress: process.stderr.isTTY === true,
  columns: process.stderr.columns ?? 80,
});
