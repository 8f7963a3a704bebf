/**
 * How long something took: the lesser of the time on the wall and the time on the processors.
 *
 * Both can only be too long. The wall's clock goes on while another program has the processor; the process' own time
 * counts every thread of the engine. On a quiet machine they agree, on a busy one the second is the truth.
 */

/** Milliseconds since `start`. */
export interface Stopwatch {
  elapsedMs(): number;
}

const US_PER_MS = 1000;

export function start(): Stopwatch {
  const processorBefore = process.cpuUsage();
  const began = performance.now();
  return {
    elapsedMs() {
      const wall = performance.now() - began;
      const { user, system } = process.cpuUsage(processorBefore);
      return Math.min(wall, (user + system) / US_PER_MS);
    },
  };
}
