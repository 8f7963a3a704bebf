/** Public entry of bindings/validate: one table-driven validator for everything that comes from outside. */
export * from "./buffers.js";
export * from "./composite.js";
export { nearest } from "./nearest.js";
export * from "./rule.js";
