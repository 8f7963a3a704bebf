/** All subjects: those that come with the bench, those that were built beside it, and those of users. */
import { ShmemError } from "../../bindings/core/index.js";
import { asTlsf } from "./as-tlsf.js";
import { loop } from "./loop.js";
import { nativeSubjects } from "./native.js";
import { ndisShmem } from "./ndis-shmem.js";
import type { Subject } from "./subject.js";
import { thingMalloc } from "./thing-malloc.js";
import { typescriptTwin } from "./twin/index.js";
import { isSubjectFile, userSubject } from "./user-module.js";

/** Those that are always there. */
const BUILT_IN: readonly Subject[] = [ndisShmem, typescriptTwin, asTlsf, loop];

/** All that are installed here, in the order of the tables. */
export async function installedSubjects(): Promise<readonly Subject[]> {
  const thing = await thingMalloc();
  return [...BUILT_IN, ...nativeSubjects(), ...(thing === undefined ? [] : [thing])];
}

/** The subject of that name, or in that file. `INVALID_ARGUMENT` when there is none. */
export async function subjectNamed(name: string): Promise<Subject> {
  if (isSubjectFile(name)) return userSubject(name);
  const installed = await installedSubjects();
  const found = installed.find((subject) => subject.name === name);
  if (found !== undefined) return found;
  const names = installed.map((subject) => subject.name).join(", ");
  throw new ShmemError("INVALID_ARGUMENT", `there is no subject ${JSON.stringify(name)}; there is ${names}`, {
    field: "subject",
    value: name,
    unit: "name",
  });
}
