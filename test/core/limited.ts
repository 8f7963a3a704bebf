/**
 * The core with a bound on its linear memory, so that the engine itself refuses to grow it.
 *
 * The compiled module says in its memory section how far its memory may grow: limits are a flag (1: a maximum follows),
 * the initial size and the maximum, in pages of 64 KiB. This rewrites that one section; every other byte stays.
 */
const MEMORY_SECTION = 5;

/** The same module, whose memory ends at `maximumPages`. */
export function limitMemory(module: Uint8Array, maximumPages: number): Uint8Array<ArrayBuffer> {
  let at = 8; // magic and version
  const parts: Uint8Array[] = [module.subarray(0, at)];
  let found = false;
  while (at < module.length) {
    const id = module[at] as number;
    const [size, body] = varint(module, at + 1);
    if (id !== MEMORY_SECTION) parts.push(module.subarray(at, body + size));
    else {
      found = true;
      // One memory; its flag; its initial size.
      const [initial] = varint(module, body + 2);
      const limits = [1, 1, ...bytesOf(Math.min(initial, maximumPages)), ...bytesOf(maximumPages)];
      parts.push(Uint8Array.from([MEMORY_SECTION, limits.length, ...limits]));
    }
    at = body + size;
  }
  if (!found) throw new Error("the module has no memory of its own");
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** An unsigned LEB128 number, and where it ends. */
function varint(bytes: Uint8Array, start: number): [number, number] {
  let value = 0;
  let scale = 1;
  for (let at = start; ; at++) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) return [value, at + 1];
  }
}

function bytesOf(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...bytesOf(Math.floor(value / 0x80))];
}
