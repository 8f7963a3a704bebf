/** gzip and raw deflate, by the host's `DecompressionStream` (Node 20 and every browser have it). */
import { badTrace } from "../notes.js";
import type { OnCut } from "./zstd.js";

const START = { line: 1, column: 1 } as const;

/** zlib's name for data that ends too early, where the host tells it. */
function isCut(error: unknown): boolean {
  for (let one = error as { code?: unknown; cause?: unknown } | undefined; one; one = one.cause as typeof one) {
    if (one.code === "Z_BUF_ERROR") return true;
  }
  return false;
}

/** What `packed` holds. `BAD_TRACE` for damage; data that only ends too early is handed on and told to `onCut`. */
export async function* inflate(
  packed: AsyncIterable<Uint8Array>,
  format: "gzip" | "deflate-raw",
  onCut: OnCut,
): AsyncGenerator<Uint8Array> {
  const stream = new DecompressionStream(format);
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  let sourceError: { readonly error: unknown } | undefined;
  const pump = async (): Promise<void> => {
    try {
      for await (const piece of packed) await writer.write(piece);
    } catch (error) {
      sourceError = { error };
    }
    await writer.close();
  };
  // What goes wrong in the writer is heard of by the reader too.
  pump().catch(() => {});
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || value === undefined) break;
      yield value;
    }
  } catch (error) {
    if (sourceError !== undefined) throw sourceError.error;
    if (isCut(error)) onCut(`${format} data that is cut off`);
    else badTrace(START, "damaged compressed data", undefined, error);
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (sourceError !== undefined) throw sourceError.error;
}
