/** Every planted bug. */
import { CORE_BUGS } from "./core-bugs.js";
import { E100BEX_BUGS } from "./e100bex-bugs.js";
import type { PlantedBug } from "./planted.js";
import { RING_BUGS } from "./ring-bugs.js";

export const PLANTED_BUGS: readonly PlantedBug[] = [...E100BEX_BUGS, ...RING_BUGS, ...CORE_BUGS];
export { type PlantedBug, plant } from "./planted.js";
