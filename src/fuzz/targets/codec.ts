/** The codec of allocation sequences: total, and its own inverse on what it writes. */
import { decodeSequence, encodeSequence } from "../sequences/sequence.js";
import { subjectCall } from "../sequences/subject-fault.js";
import type { FuzzTarget, TargetEntry } from "./target.js";

type Encode = typeof encodeSequence;

function openCodec(encode: Encode): FuzzTarget {
  let operations = 0;
  return {
    name: codecTarget.name,
    summary: codecTarget.summary,
    maxBytes: 1 + 4 * 100 + 3,
    unitBytes: 1,
    play(bytes, log) {
      operations++;
      const sequence = subjectCall(() => decodeSequence(bytes));
      log?.(`${bytes.length} bytes are ${sequence.operations.length} operations`);
      const canonical = subjectCall(() => encode(sequence));
      const again = subjectCall(() => decodeSequence(canonical));
      if (JSON.stringify(again) !== JSON.stringify(sequence))
        return { step: 0, message: "encoding and decoding does not give the sequence back" };
      const twice = subjectCall(() => encode(again));
      const at = twice.findIndex((byte, i) => byte !== canonical[i]);
      if (twice.length !== canonical.length || at >= 0)
        return { step: Math.max(0, at), message: "the canonical bytes are not their own canonical form" };
      return undefined;
    },
    get operations() {
      return operations;
    },
  };
}

export const codecTarget: TargetEntry = {
  name: "codec",
  summary: "allocation sequences as bytes and back",
  open: () => openCodec(encodeSequence),
  canary: {
    bug: "the high byte of a value is lost from value 32768 on",
    open: () =>
      openCodec((sequence) =>
        encodeSequence({
          geometry: sequence.geometry,
          operations: sequence.operations.map((one) => ({ ...one, value: one.value & 0x7fff })),
        }),
      ),
  },
};
