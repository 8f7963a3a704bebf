/**
 * The layout for the host: the build turns these globals into bindings/generated/layout.ts, so that no offset is written
 * down twice. Whatever is a constant there is one here.
 */
export * from "./layout";
