/** The structures of our ndis.h have the x86 layout of the codec, field by field; others that documents fix, their size. */
import * as assert from "node:assert/strict";
import { test } from "uvu";
import { layoutOf, type StructureName } from "../../bindings/index.js";
import { loadC } from "../../src/c/index.js";
import { compiledText, testC } from "./compiled.js";

/** The codec's name, and the name and type that C has. */
const STRUCTURES: readonly (readonly [StructureName, string])[] = [
  ["NDIS_OBJECT_HEADER", "NDIS_OBJECT_HEADER"],
  ["NDIS_PHYSICAL_ADDRESS", "NDIS_PHYSICAL_ADDRESS"],
  ["NDIS_SG_DMA_DESCRIPTION_REVISION_1", "NDIS_SG_DMA_DESCRIPTION"],
  ["NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES", "NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES"],
  ["NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2", "NDIS_SHARED_MEMORY_PARAMETERS"],
  ["NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS", "NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS"],
  ["NDIS_SCATTER_GATHER_LIST_PARAMETERS", "NDIS_SCATTER_GATHER_LIST_PARAMETERS"],
  ["NET_BUFFER_SHARED_MEMORY", "NET_BUFFER_SHARED_MEMORY"],
  ["SCATTER_GATHER_ELEMENT", "SCATTER_GATHER_ELEMENT"],
];
/** Sizes on x86 that follow from the documented declarations. */
const SIZES: Readonly<Record<string, number>> = {
  MDL: 28,
  CM_PARTIAL_RESOURCE_DESCRIPTOR: 16,
  "struct _SCATTER_GATHER_LIST": 8,
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS: 80,
  NDIS_TIMER_CHARACTERISTICS: 16,
  NDIS_CONFIGURATION_OBJECT: 12,
  LIST_ENTRY: 8,
  UNICODE_STRING: 8,
  LARGE_INTEGER: 8,
  KEVENT: 16,
  KTIMER: 40,
  KDPC: 32,
};

testC("layouts are those of the codec's x86 rows", async () => {
  const asserts: string[] = [];
  for (const [row, type] of STRUCTURES) {
    const { offsets, size } = layoutOf(row, "x86");
    asserts.push(`C_ASSERT(sizeof(${type}) == ${size});`);
    for (const [field, offset] of Object.entries(offsets)) {
      const name = row === "NDIS_OBJECT_HEADER" ? field.replace("Header.", "") : field;
      asserts.push(`C_ASSERT(FIELD_OFFSET(${type}, ${name}) == ${offset});`);
    }
  }
  for (const [type, size] of Object.entries(SIZES)) asserts.push(`C_ASSERT(sizeof(${type}) == ${size});`);
  assert.ok(asserts.length > 60);
  const entry = "NTSTATUS DriverEntry(PDRIVER_OBJECT o, PUNICODE_STRING p) { return 0; }";
  const bytes = await compiledText({ "layouts.c": `#include <ndis.h>\n${asserts.join("\n")}\n${entry}\n` });
  assert.equal(loadC(bytes).sites.check, true);
});

testC("a wrong layout would be found", async () => {
  const entry = "NTSTATUS DriverEntry(PDRIVER_OBJECT o, PUNICODE_STRING p) { return 0; }";
  const wrong = "C_ASSERT(FIELD_OFFSET(NDIS_SG_DMA_DESCRIPTION, ScatterGatherListSize) == 32);"; // that is x64's
  await assert.rejects(
    compiledText({ "layouts.c": `#include <ndis.h>\n${wrong}\n${entry}\n` }),
    /layouts\.c:2.*static (?:assertion|_assert)/s,
  );
});

test.run();
