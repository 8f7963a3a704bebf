/**
 * The same work for Node and for a browser: some thousand operations from a seed, and what came of them.
 * Runs in both, so it uses nothing but the language.
 */

/** Marsaglia's xorshift: the same numbers on every engine. */
function numbersFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

export function smoke(core, seed) {
  const next = numbersFrom(seed);
  const live = [];
  let sum = 0;
  for (let step = 0; step < 5000; step += 1) {
    if (next() % 5 < 3 || live.length === 0) {
      const length = 1 + (next() % 20_000);
      const address = core.allocate(length);
      if (address === 0) continue;
      const bytes = core.bytes(address, length);
      bytes[0] = step & 0xff;
      bytes[length - 1] = (step >> 8) & 0xff;
      sum = (sum * 31 + core.physicalOf(address)) % 2 ** 40;
      live.push({ address, length });
    } else {
      const [block] = live.splice(next() % live.length, 1);
      core.free(block.address, block.length);
    }
  }
  const middle = { digest: core.digest(), image: core.imageDigest(), live: live.length, broken: core.verify().length };
  for (const { address, length } of live) core.free(address, length);
  return { sum, middle, digest: core.digest(), liveBytes: core.stats().liveBytes };
}

export const OPTIONS = {
  zones: [
    { base: 0x100000, size: 0x400000 },
    { base: 0x1_0000_0000, size: 0x30_0000, node: 1 },
  ],
};
