/** The capture that a run plays: the user's file, standard input, or the one that comes with the package. */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { type CaptureOptions, type CaptureSource, captureSource } from "../../capture/index.js";
import type { CommandIo } from "../command.js";
import { chunksOf, packageFile, STANDARD } from "../files.js";

const DEFAULT_CAPTURE = "examples/traffic/two-hosts.pcap";

/** A capture and how far it is read. */
export interface Traffic {
  readonly source: CaptureSource;
  /** Its name, for people. */
  readonly title: string;
  /** Bytes of the file; 0 where that is not known. */
  readonly sizeBytes: number;
  /** Bytes read by the run that is under way. */
  readonly readBytes: number;
}

/** The capture of `--traffic`; the default one for null. Nothing is read yet. */
export function trafficOf(path: string | null, options: CaptureOptions, io: CommandIo): Traffic {
  const file = path ?? packageFile(DEFAULT_CAPTURE);
  let readBytes = 0;
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    readBytes = 0;
    for await (const chunk of chunksOf("traffic", file, io)) {
      readBytes += chunk.length;
      yield chunk;
    }
  };
  return {
    source: captureSource(chunks, options),
    title: file === STANDARD ? "standard input" : basename(file),
    sizeBytes: sizeOf(file),
    get readBytes() {
      return readBytes;
    },
  };
}

function sizeOf(file: string): number {
  const found = file === STANDARD ? undefined : statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : 0;
}
