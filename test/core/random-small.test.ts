// timeout: 300 s
/**
 * 100,000 random operations against the judge: twelve zones of a few frames each, on three nodes, so that every alignment
 * is wider than some zone and every edge is near.
 */
import { duels } from "./random.js";

duels("twelve small zones, three nodes", 1005, {
  zones: Array.from({ length: 12 }, (_, i) => ({ base: (i * 37 + 3) * 8192, size: (i * 2 + 1) * 8192, node: i % 3 })),
  frameSize: 8192,
  tags: true,
  arena: null,
});
