// timeout: 300 s
/**
 * 100,000 random operations against the judge: three zones of odd sizes on two nodes, in frames of 4 KiB, with tags.
 */
import { duels } from "./random.js";

duels("three odd zones, two nodes", 1001, {
  zones: [
    { base: 0x5000, size: 48 * 4096 },
    { base: 2 ** 32 - 7 * 2 ** 20, size: 7 * 2 ** 20, node: 1 },
    { base: 2 ** 40 + 13 * 4096, size: 3001 * 4096, node: 0 },
  ],
  tags: true,
  arena: null,
});
