/** A progress bar as one line of text, for a terminal that is asked to write over it. */
import { grouped } from "./units.js";

/**
 * `play  [##########          ]  50 %  1,000 of 2,000 frames`. `done` and `whole` are counts; a whole of 0 is done.
 * At most `columns` wide (20 at least).
 */
export function progressBar(task: string, done: number, whole: number, noun: string, columns = 80): string {
  const share = whole <= 0 ? 1 : Math.min(1, Math.max(0, done / whole));
  const tail = `${String(Math.floor(share * 100)).padStart(3)} %  ${grouped(done)} of ${grouped(whole)} ${noun}`;
  const room = Math.max(20, columns) - task.length - tail.length - 6;
  if (room < 4) return tail.slice(0, Math.max(20, columns));
  const width = Math.min(40, room);
  const filled = Math.floor(share * width);
  return `${task}  [${"#".repeat(filled)}${" ".repeat(width - filled)}]  ${tail}`;
}
