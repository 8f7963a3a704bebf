// timeout: 300 s
/**
 * 100,000 random operations against the judge: 64 MiB in frames of 4 KiB, windows at addresses of the caller's choice.
 */
import { duels } from "./random.js";

duels("frames of 4 KiB", 1004, {
  zones: [
    { base: 2 ** 20, size: 2 ** 25 },
    { base: 2 ** 33, size: 2 ** 25, node: 2 },
  ],
  arena: null,
});
