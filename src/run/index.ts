/** The front door of the run room: play a capture to a driver, and say what happened. */
export { ARENA_BASE, type PlayOptions, type PlayResult, play } from "./play.js";
