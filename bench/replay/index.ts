/** Replay: doing the operations of a workload with an allocator, from JavaScript or inside Wasm. */
export { allocationsOf, failuresIn } from "./failures.js";
export { firstWrongAnswer, type WrongAnswer } from "./proof.js";
export { type Allocator, JsReplayer, outcomeOf, placementOf, type Replayer, type Slots } from "./replayer.js";
export { type InsideExports, loopOf, pagesFor, WasmReplayer } from "./wasm-replayer.js";
