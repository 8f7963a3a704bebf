/**
 * The snapshot loader: a damaged snapshot is `BAD_SNAPSHOT` and nothing has changed, or what it loads is sound.
 *
 *     byte 0     1           2 ...                      the rest
 *     geometry   damages     4 bytes for each damage    operations that make the state, as in a sequence
 *
 * A damage overwrites a byte or a word of the snapshot. In three of four inputs the checksum is made right again, because
 * a loader that is saved by its checksum alone believes everything behind it (misuse K08, K09).
 */
import { Core, type CoreApi, planCore, ShmemError, type VirtualAddress } from "../../../bindings/index.js";
import { geometryOf } from "../sequences/geometries.js";
import { constraintsOfModifier, lengthOfValue } from "../sequences/operations.js";
import { decodeSequence } from "../sequences/sequence.js";
import { guardSubject } from "../sequences/subject-fault.js";
import type { FuzzTarget, TargetEntry, TargetFinding } from "./target.js";

/** The snapshot's own checksum, written here a second time: a loader must not be checked by its own arithmetic. */
function reseal(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let a = 0x243f6a88;
  let b = 0x85a308d3;
  const step = (word: number): void => {
    a = Math.imul(a ^ word, 0x9e3779b1);
    a = (a << 13) | (a >>> 19);
    b = Math.imul((b + word) ^ a, 0x85ebca77);
    b = (b << 15) | (b >>> 17);
  };
  const end = bytes.byteLength;
  for (let at = 0; at + 4 <= end; at += 4) if (at !== 16 && at !== 20) step(view.getUint32(at, true));
  for (let at = end - (end % 4); at < end; at++) step(view.getUint8(at));
  view.setUint32(16, a >>> 0, true);
  view.setUint32(20, b >>> 0, true);
}

/** Take and give back until the core is empty or refuses: a state that passed the loader must carry an allocator. */
function scenarios(core: CoreApi, digest: string): string | undefined {
  const blocks: VirtualAddress[] = [];
  for (let i = 0; i < 40; i++) {
    const address = core.allocate(1 + i * 37);
    if (address === 0) continue;
    if (blocks.includes(address)) return `0x${address.toString(16)} was handed out twice`;
    blocks.push(address);
  }
  for (const address of blocks) core.free(address);
  const [broken] = core.verify();
  if (broken !== undefined) return `after some use, verify says ${broken.rule}: ${broken.message}`;
  return core.digest() === digest ? undefined : "taking and giving back has changed the digest";
}

function openSnapshot(lenient: boolean): FuzzTarget {
  let operations = 0;
  return {
    name: snapshotTarget.name,
    summary: snapshotTarget.summary,
    maxBytes: 2 + 4 * 60,
    unitBytes: 4,
    play(bytes, log): TargetFinding | undefined {
      operations++;
      const damages = (bytes[1] ?? 0) % 5;
      const rest = bytes.subarray(Math.min(bytes.length, 2 + 4 * damages));
      const sequence = decodeSequence(Uint8Array.of(bytes[0] ?? 0, ...rest));
      const { options } = geometryOf(sequence.geometry);
      const core = guardSubject(Core.openSync(options));
      const plan = planCore(options);
      const held: VirtualAddress[] = [];
      for (const { kind, value, modifier } of sequence.operations) {
        if (kind === "free" && held.length > 0) {
          core.free(held.splice(value % held.length, 1)[0] as VirtualAddress);
        } else if (kind === "map") {
          if (value < 8)
            core.map((2 ** 50 + held.length * 2 ** 20) as VirtualAddress, [{ physical: 2 ** 51, lengthBytes: 9 }]);
        } else {
          const at = core.allocate(lengthOfValue(value, false), constraintsOfModifier(modifier, value, plan, true));
          if (at !== 0) held.push(at);
        }
        if (kind === "map") break;
      }
      const sound = core.snapshot();
      const damaged = sound.slice();
      for (let i = 0; i < damages; i++) {
        const at = 2 + 4 * i;
        const place = ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)) % damaged.length;
        damaged[place] = bytes[at + 2] ?? 0;
        if ((bytes[at + 3] ?? 0) > 200) damaged[(place + 1) % damaged.length] = bytes[at + 3] as number;
      }
      if ((bytes[1] ?? 0) >= 64) reseal(damaged);
      const before = [core.digest(), core.imageDigest()];
      try {
        if (lenient) core.rewind(damaged);
        else core.restore(damaged);
      } catch (error) {
        if (!(error instanceof ShmemError) || error.code !== "BAD_SNAPSHOT")
          return { step: 0, message: `restore threw ${error instanceof Error ? error.message : String(error)}` };
        log?.(error.message);
        const same = core.digest() === before[0] && core.imageDigest() === before[1];
        return same ? undefined : { step: 0, message: "a refused snapshot has changed the core" };
      }
      log?.("taken over");
      const [broken] = core.verify();
      if (broken !== undefined)
        return { step: 1, message: `taken over, and verify says ${broken.rule}: ${broken.message}` };
      const message = scenarios(core, core.digest());
      if (message !== undefined) return { step: 2, message };
      core.restore(sound);
      return core.digest() === before[0]
        ? undefined
        : { step: 3, message: "a sound snapshot does not restore its digest" };
    },
    get operations() {
      return operations;
    },
  };
}

export const snapshotTarget: TargetEntry = {
  name: "snapshot",
  summary: "the snapshot loader on damaged snapshots, checksums made right again",
  open: () => openSnapshot(false),
  canary: { bug: "a snapshot is taken over unchecked", open: () => openSnapshot(true) },
};
