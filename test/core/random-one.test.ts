// timeout: 300 s
/**
 * 100,000 random operations against the judge: one zone of 64 MiB, in frames of 1 KiB.
 */
import { duels } from "./random.js";

duels("one zone of 64 MiB", 1002, { zones: [{ base: 2 ** 26, size: 2 ** 26 }], frameSize: 1024, arena: null });
