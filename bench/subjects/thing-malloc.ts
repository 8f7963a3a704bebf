/**
 * The subject `thing-malloc`: @thi.ng/malloc, the allocator over an ArrayBuffer that JavaScript programs find first.
 *
 * It is a dependency of development only, so outside a checkout this subject is there when the user has installed it.
 */
import type { Allocator } from "../replay/index.js";
import type { Place, Subject } from "./subject.js";

/** What the pool keeps of its buffer for itself, at its start. */
const POOL_STATE_BYTES = 64;

/** The subject, or undefined where the package is not installed. */
export async function thingMalloc(): Promise<Subject | undefined> {
  let module: typeof import("@thi.ng/malloc");
  try {
    module = await import("@thi.ng/malloc");
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
  const { MemPool } = module;
  return {
    name: "thing-malloc",
    summary: "@thi.ng/malloc, in JavaScript",
    openAcross({ arenaBytes }: Place): Allocator {
      const pool = new MemPool({ size: arenaBytes + POOL_STATE_BYTES, align: 8 });
      return {
        allocate: (lengthBytes) => pool.malloc(lengthBytes),
        free(address) {
          if (!pool.free(address)) throw new Error(`@thi.ng/malloc refused to free ${address}`);
        },
      };
    },
  };
}
