/**
 * The judge's snapshot: a checked header before JSON.
 *
 *     byte   0        4         8        12          16          20
 *            +--------+---------+--------+-----------+-----------+---------
 *            | "NSJ1" | version | length | checksum a, b         | JSON
 *            +--------+---------+--------+-----------+-----------+---------
 *
 * Words are little-endian, `length` counts the JSON bytes, the checksum covers the three words before it and every byte
 * behind it. Nothing of a snapshot is taken over before all of it has been checked: its checksum, that it belongs to a
 * core of the same options, and that the state it describes is sound.
 */
import { type CorePlan, isAddress, ShmemError } from "../../bindings/index.js";
import { DigestWords } from "./digest.js";
import { joined, meet, type Run } from "./mappings.js";
import { framesOf, type Piece } from "./placement.js";
import { JudgeState } from "./state.js";

const MAGIC = 0x314a534e;
const VERSION = 1;
const HEADER = 20;

interface ImageBlock {
  readonly virtual: number;
  readonly lengthBytes: number;
  readonly tag: number;
  readonly contiguous: boolean;
  /** Zone index, first frame, frame count. */
  readonly pieces: readonly (readonly [number, number, number])[];
}

interface Image {
  readonly options: unknown;
  readonly blocks: readonly ImageBlock[];
  readonly foreign: readonly { readonly virtual: number; readonly runs: readonly Run[] }[];
  readonly tombstones: readonly number[];
  readonly peakLiveBytes: number;
  readonly failures: number;
}

function bad(message: string, cause?: unknown): never {
  throw new ShmemError("BAD_SNAPSHOT", message, cause === undefined ? {} : { cause });
}

/** What must be equal for a snapshot to fit. */
function optionsOf(plan: CorePlan): unknown {
  const zones = plan.zones.map(({ base, size, node, window }) => [base, size, node, window]);
  return { frameSize: plan.frameSize, tags: plan.tags, virtualBase: plan.virtualBase, zones };
}

function checksum(bytes: Uint8Array): readonly [number, number] {
  const words = new DigestWords();
  const head = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  for (let at = 0; at < 12; at += 4) words.word(head.getUint32(at, true));
  for (const byte of bytes.subarray(HEADER)) words.word(byte);
  const text = words.text();
  return [Number.parseInt(text.slice(0, 8), 16), Number.parseInt(text.slice(8), 16)];
}

/** Set length and checksum of a snapshot whose JSON is in place. */
function seal(bytes: Uint8Array): Uint8Array {
  const head = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  head.setUint32(0, MAGIC, true);
  head.setUint32(4, VERSION, true);
  head.setUint32(8, bytes.length - HEADER, true);
  const [a, b] = checksum(bytes);
  head.setUint32(12, a, true);
  head.setUint32(16, b, true);
  return bytes;
}

/** A state as bytes. */
export function encodeImage(state: JudgeState): Uint8Array {
  const image: Image = {
    options: optionsOf(state.plan),
    blocks: [...state.blocks.values()].map(({ virtual, lengthBytes, tag, contiguous, pieces }) => ({
      virtual,
      lengthBytes,
      tag,
      contiguous,
      pieces: pieces.map((piece) => [state.zones.indexOf(piece.zone), piece.start, piece.count] as const),
    })),
    foreign: state.mappings.all
      .filter((mapping) => mapping.block === undefined)
      .map(({ virtual, runs }) => ({ virtual, runs })),
    tombstones: [...state.tombstones],
    peakLiveBytes: state.peakLiveBytes,
    failures: state.failures,
  };
  const json = new TextEncoder().encode(JSON.stringify(image));
  const bytes = new Uint8Array(HEADER + json.length);
  bytes.set(json, HEADER);
  return seal(bytes);
}

/** A new state from bytes, or `BAD_SNAPSHOT`. */
export function decodeImage(bytes: Uint8Array, plan: CorePlan): JudgeState {
  if (!(bytes instanceof Uint8Array)) bad("a snapshot is a Uint8Array");
  if (bytes.length < HEADER) bad(`${bytes.length} bytes are shorter than a header`);
  const head = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  if (head.getUint32(0, true) !== MAGIC) bad("wrong magic");
  if (head.getUint32(4, true) !== VERSION) bad(`version ${head.getUint32(4, true)} is not ${VERSION}`);
  if (head.getUint32(8, true) !== bytes.length - HEADER) bad("wrong length");
  const [a, b] = checksum(bytes);
  if (head.getUint32(12, true) !== a || head.getUint32(16, true) !== b) bad("wrong checksum");
  let image: Image;
  try {
    image = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER))) as Image;
  } catch (cause) {
    bad("no JSON", cause);
  }
  if (JSON.stringify(image.options) !== JSON.stringify(optionsOf(plan))) bad("made by a core of other options");
  try {
    return rebuild(image, plan);
  } catch (cause) {
    bad("the state it describes is not sound", cause);
  }
}

/** Build the state block by block; every step throws where the image contradicts itself. */
function rebuild(image: Image, plan: CorePlan): JudgeState {
  const state = new JudgeState(plan);
  const must = (rule: boolean, message: string): void => {
    if (!rule) throw new Error(message);
  };
  for (const block of image.blocks) {
    const { virtual, lengthBytes, tag, contiguous } = block;
    const pieces: Piece[] = block.pieces.map(([zone, start, count]) => {
      const found = state.zones[zone];
      if (found === undefined) throw new Error(`there is no zone ${zone}`);
      return { zone: found, start, count };
    });
    const [first] = pieces;
    must(first !== undefined && isAddress(virtual) && !state.blocks.has(virtual), "a block without a place of its own");
    must(Number.isInteger(lengthBytes) && lengthBytes > 0 && lengthBytes < 2 ** 32, "a block without a length");
    must(Number.isInteger(tag) && tag >= 0 && tag < 2 ** 32 && (plan.tags || tag === 0), "a tag out of range");
    if (contiguous)
      must(
        virtual === (first as Piece).zone.window + (first as Piece).start * plan.frameSize,
        "a block off its window",
      );
    else must(virtual >= plan.scatterBase, "a scattered block inside the windows");
    const bytes = framesOf(lengthBytes, plan.frameSize) * plan.frameSize;
    if (!contiguous) must(state.mappings.meeting(virtual, bytes) === undefined, "two scattered blocks meet");
    state.add(pieces, virtual, lengthBytes, tag, contiguous);
  }
  for (const { virtual, runs } of image.foreign) {
    const lengthBytes = runs.reduce((sum, run) => sum + run.lengthBytes, 0);
    must(isAddress(virtual) && runs.length > 0, "a mapping without runs");
    must(state.mappings.meeting(virtual, lengthBytes) === undefined, "two mappings meet");
    must(!plan.zones.some((zone) => meet(zone.window, zone.size, virtual, lengthBytes)), "a mapping meets a window");
    state.mappings.add({ virtual, bytes: lengthBytes, runs: joined(runs), block: undefined });
  }
  for (const address of image.tombstones) state.tombstones.add(address);
  must(image.peakLiveBytes >= state.liveBytes && image.peakLiveBytes <= plan.totalBytes, "a peak below the live bytes");
  must(Number.isInteger(image.failures) && image.failures >= 0, "a negative count of failures");
  state.peakLiveBytes = image.peakLiveBytes;
  state.failures = image.failures;
  const [broken] = state.verify();
  if (broken !== undefined) throw new Error(`${broken.rule}: ${broken.message}`);
  return state;
}
