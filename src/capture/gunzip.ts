/** Gunzip: chunks of a gzip file in, chunks of what was packed out, by the decoder that every host has. */

/**
 * Unpacks one or several gzip members. A stream that is damaged or ends early gives what could be unpacked, and then calls
 * `onDamage` with the decoder's reason; it never throws for what is in the file. Holds a few chunks at a time.
 */
export async function* gunzip(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  onDamage: (reason: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new DecompressionStream("gzip");
  const writer = decoder.writable.getWriter();
  const reader = decoder.readable.getReader();
  let failure: { readonly error: unknown } | undefined;
  let isOver = false;
  const feeding = (async () => {
    try {
      for await (const chunk of chunks) {
        await writer.ready;
        if (isOver) return;
        // A rejection of this one is the reader's to report: it gets the same.
        writer.write(chunk).catch(() => undefined);
      }
      await writer.close();
    } catch (error) {
      // The input's own failure must come out; the decoder's comes out of `read` below.
      if (!isDecoderError(error)) failure = { error };
      await writer.abort(error).catch(() => undefined);
    }
  })();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || value === undefined) break;
      yield value;
    }
  } catch (error) {
    if (failure === undefined && !isDecoderError(error)) throw error;
    onDamage(error instanceof Error ? error.message : String(error));
  } finally {
    isOver = true;
    await reader.cancel().catch(() => undefined);
    await feeding;
  }
  if (failure !== undefined) throw failure.error;
}

/** A TypeError by the standard; Node's also carries the code of zlib. */
function isDecoderError(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  return error instanceof Error && "code" in error && /^(?:Z_|ERR_INVALID_STATE)/.test(String(error.code));
}
