/**
 * A player thread: plays ranges of scenarios that its process sends, and tells what they came to, piece by piece.
 *
 *     process ── Assignment ──►  thread          one range of one job
 *     process ◄── Piece ───────  thread          what has happened since the last piece; the last one says `ended`
 *     cell[0]: position of the scenario that is being played, -1 between ranges        shared, read when the thread is lost
 *
 * A driver may end this thread (process.exit), exhaust its heap or never return. Then what it played since its last piece is
 * lost, and the process plays that again in another thread, up to the position in `cell` (player.ts).
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Assignment, Refusal, ThreadData, Told } from "./messages.js";
import { loadSubject, playRange } from "./play-range.js";

const { cell } = workerData as ThreadData;
const position = new Float64Array(cell);
const port = parentPort;
if (port === null) throw new Error("player-thread is started by a campaign worker, as a thread");

// Refusals are ordinary in a scenario, and a stack costs more than one.
Error.stackTraceLimit = 0;
position[0] = -1;
port.on("message", (assignment: Assignment) => {
  void play(assignment).then(
    () => undefined,
    (error: unknown) => {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      port.postMessage({ type: "refusal", message, stack: stack ?? message } satisfies Refusal);
    },
  );
});

async function play(assignment: Assignment): Promise<void> {
  position[0] = assignment.from;
  const subject = await loadSubject(assignment);
  await playRange(subject, assignment, {
    playing(at) {
      position[0] = at;
    },
    piece(piece) {
      port?.postMessage(piece);
    },
    tell(bytes) {
      port?.postMessage({ type: "told", bytes } satisfies Told);
    },
  });
  position[0] = -1;
}
