/**
 * The readers of recordings on hostile files, one target for each form, and one for the unpacking of zstd.
 *
 * An input chooses words of its form, byte by byte, so that files get past the first line; every fourth byte value stands for
 * itself. Whatever the file is,
 *
 *     nothing but BAD_TRACE is thrown, with a line and a column;
 *     no block is freed that is not live, none is allocated where one is, and the facts are those of the operations;
 *     the file in one piece and in pieces of a few bytes gives the same operations.
 */
import { ShmemError } from "../../../bindings/index.js";
import { FORMAT_NAMES, frameOf, LogWriter, readOperations } from "../../recordings/index.js";
import type { FuzzTarget, TargetEntry, TargetFinding } from "./target.js";

const MOST_BYTES = 2 ** 16;
const MOST_OPERATIONS = 4096;

/** The words of a form; the first of each list begins the file. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  "malloc-bench": [
    "\n\u0006\n\u0004\b\u0000\u0010\u0008",
    "\n\u0006\n\u0004\b\u0001\u0010\u0009",
    "\n\u0004\u0012\u0002\b\u0000",
    "\n\u0004\u0012\u0002\b\u0001",
    "\n\u0008\u001a\u0006\b\u0001\u0010\u0000\u0018\u0005",
    "\u0010\u0003",
    "\u00ff",
  ],
  heaptrack: [
    "v 10400 3\n",
    "v 10400 0\n",
    "x 1 a\n",
    "a 10 1\n",
    "+ 0\n",
    "- 0\n",
    "+ 10 1 aa\n",
    "- aa\n",
    "+ ",
    "- ",
    "f",
    "\n",
    "c a\n",
  ],
  vma: [
    "Vulkan Memory Allocator,Calls recording\n1,8\n",
    "1,0.5,1,vmaAllocateMemory,64,16,0,0,0,0,0,0,0,A1,\n",
    "1,0.5,1,vmaFreeMemory,A1\n",
    "1,0.5,1,vmaAllocateMemoryPages,8,8,0,0,0,0,0,0,0,A2 A3,\n",
    "1,0.5,1,vmaFreeMemoryPages,A2 A3\n",
    "1,0.5,1,vmaResizeAllocation,A1,9\n",
    ",",
    "A1",
    "\n",
    "1",
  ],
  minimalloc: ["id,lower,upper,size\n", "b,0,3,4\n", "c,1,2,8\n", "d,5,2,8\n", ",", "9", "\n", "b"],
  valgrind: [
    "==1== x\n",
    "--1-- malloc(24) = 0xA\n",
    "--1-- free(0xA)\n",
    "--1-- realloc(0xA,48) = 0xB\n",
    "--1-- free(0xB)\n",
    "--1-- calloc(4,9) = 0xB\n",
    "--1-- ",
    "\n",
    "(",
    "9",
  ],
  wee_alloc: ["Alloc(5),\n", "Free(0),\n", "Free(1),\n", "Alloc(", "Free(", "9", "),", "\n"],
  android: [
    "1: malloc 0xa 5\n",
    "1: free 0xa\n",
    "1: realloc 0xb 0xa 9\n",
    "1: calloc 0xa 3 3 1 2\n",
    "1: memalign 0xb 16 8\n",
    "1: free 0xb 5 6\n",
    "1: ",
    "0x",
    "a",
    " ",
    "9",
    "\n",
  ],
  plain: ["# x\n", "a,1,5\n", "f,1\n", "r,1,2,9\n", "f,2\n", "a,x,7,16\n", "f,x\n", "t,5\n", "o,me\n", ",", "9", "\n"],
  rep: ["9 2 4 1\n", "a 0 5\n", "f 0\n", "r 0 9\n", "f -1\n", "a ", "f ", "r ", "1 ", "0 ", "\n"],
};

/** Lines of an event log, without step and time. */
const LINES: readonly string[] = [
  "p0 PASSIVE a complete #1 64 -> 0x400000000000 0x1000",
  "p0 DIRQL 5 a NdisMAllocateSharedMemory 80 cached -> 0x400000001000 0x2000",
  "p0 PASSIVE a NdisMFreeSharedMemory 64 0x400000000000",
  "p1 DISPATCH a NdisMFreeSharedMemory 80 0x400000001000",
  "p0 PASSIVE a reclaim 0x400000000000 64",
  "p0 PASSIVE - serve 9 in one call",
];

/** A log of the lines that the input chooses; its first two bytes change a bit of the file, or none. */
function logOf(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = new LogWriter({ write: (piece) => pieces.push(piece) }, {});
  for (const [i, byte] of bytes.subarray(2).entries()) {
    writer.line(`${i * (byte & 7)} ${i * (byte >> 4)} ${LINES[byte % LINES.length]}`);
  }
  writer.end();
  const file = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  const bit = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  if (bit < 0x8000) return file;
  const at = (bit >> 3) % file.length;
  file[at] = (file[at] as number) ^ (1 << (bit & 7));
  return file;
}

/** The file that an input stands for. */
function fileOf(words: readonly string[], bytes: Uint8Array): Uint8Array {
  let text = words[0] ?? "";
  for (const byte of bytes) {
    text += byte % 4 === 3 ? String.fromCharCode(byte) : (words[(byte >> 2) % words.length] as string);
  }
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

interface Reading {
  readonly operations: readonly string[];
  readonly wrong: string | undefined;
}

type Source = Uint8Array | readonly Uint8Array[];

async function read(source: Source, format: string): Promise<Reading> {
  const operations: string[] = [];
  const held = new Map<number, number>();
  let wrong: string | undefined;
  let bytesLive = 0;
  let peak = 0;
  try {
    const { facts, left } = await readOperations(
      source,
      {
        allocate(slot, bytes) {
          if (held.has(slot)) wrong ??= `slot ${slot} is allocated twice`;
          held.set(slot, bytes);
          bytesLive += bytes;
          operations.push(`a${slot}:${bytes}`);
        },
        free(slot) {
          const bytes = held.get(slot);
          if (bytes === undefined) wrong ??= `slot ${slot} is freed and holds nothing`;
          held.delete(slot);
          bytesLive -= bytes ?? 0;
          operations.push(`f${slot}`);
          peak = Math.max(peak, bytesLive);
        },
      },
      { format, mostBytes: MOST_BYTES, mostOperations: MOST_OPERATIONS },
    );
    if (facts.leftLive !== held.size || facts.leftBytes !== bytesLive || left.length !== held.size) {
      wrong ??= `${facts.leftLive} blocks are said to be left over, ${held.size} are`;
    }
    if (facts.peakBytes < peak && facts.reallocations === 0) wrong ??= "the peak is lower than what was live";
  } catch (error) {
    const isRefusal = error instanceof ShmemError && error.code === "BAD_TRACE" && /^\d+:\d+$/.test(error.field ?? "");
    if (!isRefusal) wrong ??= `it threw ${error instanceof Error ? error.stack : String(error)}`;
    operations.push("refused");
  }
  return { operations, wrong };
}

/** Pieces of 1 to 37 bytes. */
function piecesOf(file: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = 1 + (at % 37);
    pieces.push(file.slice(at, at + length));
    at += length;
  }
  return pieces;
}

function openReader(format: string, cut: (file: Uint8Array) => Uint8Array[]): FuzzTarget {
  const words = WORDS[format];
  let operations = 0;
  return {
    name: `recording-${format}`,
    summary: `the reader of ${format} on hostile files`,
    maxBytes: 60,
    unitBytes: 1,
    async play(bytes, log): Promise<TargetFinding | undefined> {
      operations++;
      const file = words === undefined ? logOf(bytes) : fileOf(words, bytes);
      const whole = await read(file, format);
      log?.(`${file.length} bytes: ${whole.operations.slice(0, 20).join(" ")}`);
      const pieces = await read(cut(file), format);
      const message = whole.wrong ?? pieces.wrong;
      if (message !== undefined) return { step: 0, message };
      const differs = whole.operations.findIndex((one, i) => one !== pieces.operations[i]);
      if (differs < 0 && whole.operations.length === pieces.operations.length) return undefined;
      return { step: Math.max(0, differs), message: "in pieces the file gives other operations" };
    },
    get operations() {
      return operations;
    },
  };
}

/** The fifth byte from the end is lost where the file comes in pieces. */
function losing(file: Uint8Array): Uint8Array[] {
  return piecesOf(Uint8Array.from([...file].filter((_, at) => at !== file.length - 5)));
}

const readers: readonly TargetEntry[] = FORMAT_NAMES.map((format) => ({
  name: `recording-${format}`,
  summary: `the reader of ${format} on hostile files`,
  open: () => openReader(format, piecesOf),
  canary: {
    bug: "the fifth byte from the end is lost where the file comes in pieces",
    open: () => openReader(format, losing),
  },
}));

/** A plain recording in a sound zstd frame, of which one bit is changed: it is refused, or gives what the sound one gives. */
function openUnpack(frame: (body: Uint8Array, bit: number) => Uint8Array): FuzzTarget {
  let operations = 0;
  return {
    name: unpackTarget.name,
    summary: unpackTarget.summary,
    maxBytes: 60,
    unitBytes: 1,
    async play(bytes): Promise<TargetFinding | undefined> {
      operations++;
      const body = fileOf(WORDS.plain ?? [], bytes.subarray(2));
      const bit = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
      const sound = await read(body, "plain");
      const damaged = await read(frame(body, bit), "plain");
      const message = sound.wrong ?? damaged.wrong;
      if (message !== undefined) return { step: 0, message };
      const wasRefused = damaged.operations.at(-1) === "refused";
      if (wasRefused || damaged.operations.join() === sound.operations.join()) return undefined;
      return { step: 0, message: "a damaged frame gives other operations without a word" };
    },
    get operations() {
      return operations;
    },
  };
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const damaged = bytes.slice();
  // The magic stays: without it the file is read as plain text.
  const at = 4 + ((bit >> 3) % (bytes.length - 4));
  damaged[at] = (damaged[at] as number) ^ (1 << (bit & 7));
  return damaged;
}

const unpackTarget: TargetEntry = {
  name: "recording-zstd",
  summary: "the unpacking of zstd on damaged frames",
  open: () => openUnpack((body, bit) => flipped(frameOf(body), bit)),
  canary: {
    bug: "the checksum is made to fit what came out",
    open: () => openUnpack((body, bit) => frameOf(flipped(body, bit))),
  },
};

export const recordingTargets: readonly TargetEntry[] = [...readers, unpackTarget];
