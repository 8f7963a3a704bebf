/** Subjects: the allocators that are compared. */
export { assetPath, instantiateSubject } from "./assets.js";
export { installedSubjects, subjectNamed } from "./catalog.js";
export { openModule } from "./ndis-shmem.js";
export { openReplayer } from "./open.js";
export type { Subject, Where } from "./subject.js";
