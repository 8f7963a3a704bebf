import type { CommandIo } from "./command.js";
import type { FuzzArguments } from "./fuzz.js";
export async function score(_given: FuzzArguments, _io: CommandIo): Promise<number> {
  throw new Error("later");
}
