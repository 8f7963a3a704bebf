// timeout: 300 s
/**
 * 100,000 random operations against the judge: 64 MiB in frames of 64 bytes, at a base that no power of two likes.
 */
import { duels } from "./random.js";

duels("frames of 64 B", 1003, { zones: [{ base: 64 * 12345, size: 2 ** 26 }], frameSize: 64, tags: true, arena: null });
