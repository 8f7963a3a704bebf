/**
 * The auditor: what looks at the core's state and never changes it, as a module of its own over the same memory.
 *
 * It is apart because programs that only allocate need not carry it in the module whose size is promised, and because an
 * auditor should share nothing with the clerk but the books. It imports the memory and nothing else; the host makes it
 * when it first asks for a digest or a check.
 */
export { digest, imageDigest } from "./digest";
export { verify } from "./verify";
