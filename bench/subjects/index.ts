/** All subjects that come with the bench. */
import type { Subject } from "../subject.js";
import { asTlsf } from "./as-tlsf.js";
import { loop } from "./loop.js";
import { ndisShmem } from "./ndis-shmem.js";

export const SUBJECTS: readonly Subject[] = [ndisShmem, asTlsf, loop];
