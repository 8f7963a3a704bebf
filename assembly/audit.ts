/**
 * The auditor: `verify` and the digests, as a module of its own over the core's memory.
 *
 * It is apart because programs that only allocate need not carry it in the module whose size is promised, and because a
 * check should share no code path with what it checks. It imports the memory and nothing else; the host makes it when it
 * first asks for a digest or a check.
 *
 * What it writes: the report and the sums behind it (REPORT), the two words of the last digest, and while `verify` walks,
 * the length tags of cached blocks, which it puts back before it returns. No answer of the core depends on any of them.
 */
export { digest, imageDigest } from "./digest";
export { verify } from "./verify";
