/**
 * How many different states were seen, in four kilobytes, mergeable in any order: HyperLogLog (Flajolet, Fusy, Gandouet and
 * Meunier, 2007) with 4,096 registers of one byte.
 *
 *     state number ── mix ──► 64 bits:  12 choose the register,  the rank of the first 1 in the other 52 is kept if larger
 *
 * Two machines that saw the same state set the same register to the same value, so a merge is the maximum of each register
 * and a state that two machines saw counts once. The standard error is 1.04 / sqrt(4096) = 1.6 % of the number of states; a
 * test measures it. Below `2.5 * 4096` the estimate is by linear counting, as the paper has it.
 */

/** Registers of a sketch, and its length in bytes. */
export const REGISTERS = 4096;
/** Standard error of an estimate, as a share of it. */
export const STANDARD_ERROR: number = 1.04 / Math.sqrt(REGISTERS);

const INDEX_BITS = 12;
/** 0.7213 / (1 + 1.079 / m): the bias of the harmonic mean for m registers, from the paper. */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

/** The finaliser of MurmurHash3: every bit of the input moves about half of the output's bits. */
function mix(word: number): number {
  let hash = word ^ (word >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Count `state`, an integer from 0 to 2^53 - 1, in `registers`. */
export function addState(registers: Uint8Array, state: number): void {
  const low = state >>> 0;
  const high = Math.floor(state / 2 ** 32);
  const first = mix(low ^ mix(high ^ 0x9e3779b9));
  const second = mix(first ^ mix(low ^ 0x7f4a7c15) ^ high);
  const index = first >>> (32 - INDEX_BITS);
  // The remaining 20 bits of the first word, then the second: 52 bits, of which the first 1 decides.
  const upper = (first << INDEX_BITS) >>> 0;
  const rank = upper !== 0 ? Math.clz32(upper) + 1 : 32 - INDEX_BITS + Math.clz32(second) + 1;
  if (rank > (registers[index] as number)) registers[index] = rank;
}

/** Take into `into` all that was counted in `from`. Both have `REGISTERS` bytes. */
export function mergeRegisters(into: Uint8Array, from: Uint8Array): void {
  for (let at = 0; at < REGISTERS; at++) {
    const rank = from[at] as number;
    if (rank > (into[at] as number)) into[at] = rank;
  }
}

/** About how many different states were counted; see `STANDARD_ERROR`. */
export function estimateStates(registers: Uint8Array): number {
  let sum = 0;
  let empty = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (rank === 0) empty++;
  }
  const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
  if (raw <= 2.5 * REGISTERS && empty > 0) return Math.round(REGISTERS * Math.log(REGISTERS / empty));
  return Math.round(raw);
}
