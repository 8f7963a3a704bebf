/**
 * Which routines a C driver may call: real, simple, or refused. The table of docs/c-drivers.md is made by this file, and
 * `ndis-shmem cc --routines` prints it.
 *
 * Real: what the documents say, as far as a driver can tell. Simple: enough for a driver to go on, and why it is less.
 * Refused: not here; `cc` says where it is called.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cHalf } from "./compile.js";

/** Less than the documents say, and in what. */
export const SIMPLE: Readonly<Record<string, string>> = {
  KeGetCurrentProcessorNumber: "always 0: a driver runs on one processor at a time",
  KeQueryActiveProcessorCount: "always 1",
  NdisSystemProcessorCount: "always 1",
  NdisGetCurrentProcessorIndex: "always 0",
  NdisAllocateRWLock: "a spin lock: readers exclude one another",
  NdisAcquireRWLockRead: "as a writer",
  KeStallExecutionProcessor: "time passes for the driver's own clocks alone",
  MmGetPhysicalAddress: "knows shared memory only, and warns",
  NdisMGetDeviceProperty: "device objects are NULL",
  MmBuildMdlForNonPagedPool: "the MDL is complete already",
  IoAllocateMdl: "Irp, quota and secondary buffers are ignored",
  NdisGetVersion: "always 6.30",
  NdisMRemoveMiniport: "checks its handle, and nothing is removed",
  NdisReadConfiguration: "reads the settings of the model's module",
  KeInitializeEvent: "a synchronization event wakes every waiter",
  ExAllocatePoolWithTag: "paged pool is nonpaged",
  NdisRetreatNetBufferDataStart: "within the MDLs that are there",
  NdisWriteErrorLogEntry: "goes to the machine's error log",
  NdisMSynchronizeWithInterruptEx: "raises the level; one interrupt",
  NdisMQueueDpc: "on the one processor",
  NdisMRegisterInterruptEx: "line based; messages are not offered",
  NdisMIndicateStatusEx: "checked and counted; nobody acts on it",
  DbgPrintEx: "component and level are ignored",
};

/** Not here. */
export const REFUSED: readonly string[] = [
  "NdisBuildScatterGatherList, NdisFreeScatterGatherList",
  "NdisMRegisterDmaChannel, NdisMDeregisterDmaChannel",
  "NdisSetOptionalHandlers",
  "NdisMRegisterMiniport and the rest of NDIS 5",
  "NdisRegisterProtocolDriver, NdisFRegisterFilterDriver",
  "NdisRegisterDeviceEx, NdisOpenFile, NdisWriteConfiguration",
  "NdisAllocateCloneNetBufferList, NdisAllocateFragmentNetBufferList, NdisCopyFromNetBufferToNetBuffer",
  "PsCreateSystemThread, KeWaitForMultipleObjects, KeSetTargetProcessorDpc",
  "IoConnectInterrupt, IoGetDmaAdapter, IoCallDriver, IoCreateDevice",
  "ZwOpenKey, ZwCreateFile and the rest of Zw",
  "MmAllocateContiguousMemory, MmProbeAndLockPages, MmMapLockedPagesSpecifyCache",
  "RtlStringCb..., floating-point state, structured exceptions (__try runs its block; a fault ends the run)",
];

/** Names of the routines that the C half has, in its order. */
export function routinesOf(shim: string): readonly string[] {
  const names = new Set<string>();
  for (const match of shim.matchAll(/^(?!static|EXPORT|HOST|#)[A-Z]\w*[\w *]*?\b((?:Ndis|Ke|Ex|Mm|Rtl|Io|Dbg)\w+)\(/gm))
    names.add(match[1] as string);
  for (const width of ["UCHAR", "USHORT", "ULONG"]) {
    for (const kind of ["READ_REGISTER", "WRITE_REGISTER", "READ_PORT", "WRITE_PORT"]) names.add(`${kind}_${width}`);
  }
  return [...names];
}

/** The table, as Markdown. */
export function routineTable(): string {
  const names = routinesOf(readFileSync(join(cHalf(), "shim", "shim.c"), "utf8"));
  const real = names.filter((name) => !Object.hasOwn(SIMPLE, name)).sort();
  const rows = [
    "| routines | here |",
    "| --- | --- |",
    `| ${real.map((name) => `\`${name}\``).join(", ")} | real |`,
    ...Object.entries(SIMPLE)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, how]) => `| \`${name}\` | simple: ${how} |`),
    ...REFUSED.map((what) => `| ${what} | refused |`),
  ];
  return `${rows.join("\n")}\n`;
}
