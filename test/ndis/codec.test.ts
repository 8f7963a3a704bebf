/** Byte layouts: the documented offsets and sizes, and round trips. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "uvu";
import {
  decodeScatterGatherList,
  decodeStructure,
  encodeScatterGatherList,
  encodeStructure,
  layoutOf,
  NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
  NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2,
  NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1,
  NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_2,
  NDIS_SIZEOF_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1,
  type Platform,
  physicalFromQuadPart,
  type StructureName,
} from "../../bindings/ndis/index.js";

test("the documented x64 offsets and sizes", () => {
  const of = (structure: StructureName): Record<string, number> => layoutOf(structure, "x64").offsets as never;
  const description = of("NDIS_SG_DMA_DESCRIPTION_REVISION_2");
  assert.deepEqual(Object.values(description), [0, 1, 2, 4, 8, 16, 24, 32, 40]);
  assert.equal(
    layoutOf("NDIS_SG_DMA_DESCRIPTION_REVISION_1", "x64").macroSize,
    NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  );
  assert.equal(layoutOf("NDIS_SG_DMA_DESCRIPTION_REVISION_1", "x64").size, 40);
  assert.equal(
    layoutOf("NDIS_SG_DMA_DESCRIPTION_REVISION_2", "x64").macroSize,
    NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2,
  );
  assert.deepEqual(Object.values(of("NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES")), [0, 1, 2, 8, 16, 20, 24]);
  const attributes = layoutOf("NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES", "x64");
  assert.equal(attributes.macroSize, NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1);
  assert.equal(attributes.size, 32);
  const shared = of("NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2");
  assert.deepEqual(Object.values(shared), [0, 1, 2, 4, 8, 16, 24, 28, 32, 40, 48, 56, 64]);
  const sizes = [1, 2].map((n) => layoutOf(`NDIS_SHARED_MEMORY_PARAMETERS_REVISION_${n}` as StructureName, "x64"));
  assert.deepEqual(
    sizes.map((one) => one.macroSize),
    [NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1, NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_2],
  );
  assert.equal(sizes[1]?.size, 72);
  assert.deepEqual(Object.values(of("NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS")), [0, 1, 2, 4, 8, 16, 24]);
  assert.equal(
    layoutOf("NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS", "x64").size,
    NDIS_SIZEOF_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1,
  );
  const lists = of("NDIS_SCATTER_GATHER_LIST_PARAMETERS");
  assert.deepEqual(Object.values(lists), [0, 1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64, 68]);
  assert.equal(
    layoutOf("NDIS_SCATTER_GATHER_LIST_PARAMETERS", "x64").size,
    NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1,
  );
  assert.equal(layoutOf("NET_BUFFER_SHARED_MEMORY", "x64").size, 32);
  assert.equal(layoutOf("SCATTER_GATHER_ELEMENT", "x64").size, 24);
});

test("the documented x86 offsets and sizes", () => {
  const description = layoutOf("NDIS_SG_DMA_DESCRIPTION_REVISION_2", "x86");
  assert.deepEqual(Object.values(description.offsets), [0, 1, 2, 4, 8, 12, 16, 20, 24]);
  assert.equal(description.macroSize, 28);
  assert.equal(layoutOf("NDIS_SG_DMA_DESCRIPTION_REVISION_1", "x86").macroSize, 24);
  assert.equal(layoutOf("SCATTER_GATHER_ELEMENT", "x86").size, 16);
});

test("a physical address: low half first, high half signed", () => {
  const bytes = encodeStructure("NDIS_PHYSICAL_ADDRESS", "x64", { QuadPart: 0x0001_2345_89ab_cdefn });
  assert.deepEqual([...bytes], [0xef, 0xcd, 0xab, 0x89, 0x45, 0x23, 0x01, 0x00]);
  assert.equal(physicalFromQuadPart(0x0001_2345_89ab_cdefn), 0x123_4589_abcd_ef);
  assert.deepEqual(decodeStructure("NDIS_PHYSICAL_ADDRESS", "x86", new Uint8Array(8).fill(0xff)), { QuadPart: -1n });
  assert.throws(() => physicalFromQuadPart(-1n), { code: "INVALID_ARGUMENT" });
  assert.throws(() => physicalFromQuadPart(2n ** 52n), { code: "INVALID_ARGUMENT" });
});

const STRUCTURES: readonly StructureName[] = [
  "NDIS_OBJECT_HEADER",
  "NDIS_SG_DMA_DESCRIPTION_REVISION_1",
  "NDIS_SG_DMA_DESCRIPTION_REVISION_2",
  "NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES",
  "NDIS_SHARED_MEMORY_PARAMETERS_REVISION_1",
  "NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2",
  "NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS",
  "NDIS_SCATTER_GATHER_LIST_PARAMETERS",
  "NET_BUFFER_SHARED_MEMORY",
  "SCATTER_GATHER_ELEMENT",
];

test("any bytes decode, and encode to the same bytes but for the padding", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...STRUCTURES),
      fc.constantFrom<Platform>("x64", "x86"),
      fc.uint8Array({ minLength: 72, maxLength: 72 }),
      (structure, platform, bytes) => {
        const values = decodeStructure(structure, platform, bytes);
        const again = decodeStructure(structure, platform, encodeStructure(structure, platform, values));
        assert.deepEqual(again, values);
      },
    ),
    { numRuns: 400, seed: 1 },
  );
});

test("lists round-trip in both layouts, with the documented sizes", () => {
  const fields = {
    Address: fc.integer({ min: 0, max: 2 ** 31 }).map((n) => n * 2 ** 20) as fc.Arbitrary<never>,
    Length: fc.integer({ min: 0, max: 0xffffffff }),
  };
  const element = fc.record(fields, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(element, { maxLength: 20 }), fc.constantFrom<Platform>("x64", "x86"), (Elements, platform) => {
      const list = { NumberOfElements: Elements.length, Elements };
      const bytes = encodeScatterGatherList(list, platform);
      assert.equal(bytes.length, platform === "x64" ? 16 + 24 * Elements.length : 8 + 16 * Elements.length);
      assert.deepEqual(decodeScatterGatherList(bytes, platform), list);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("what does not fit is refused: values, unknown fields, short bytes, a count that lies", () => {
  const bad = { code: "INVALID_ARGUMENT" };
  assert.throws(() => encodeStructure("NDIS_OBJECT_HEADER", "x64", { "Header.Type": 256 }), bad);
  assert.throws(() => encodeStructure("NDIS_OBJECT_HEADER", "x64", { "Header.Type": 1.5 }), bad);
  assert.throws(() => encodeStructure("NDIS_OBJECT_HEADER", "x64", { Flags: 1 }), bad);
  assert.throws(() => encodeStructure("NET_BUFFER_SHARED_MEMORY", "x86", { SharedMemoryHandle: 2n ** 32n }), bad);
  assert.throws(() => encodeStructure("__proto__" as never, "x64", {}), bad);
  assert.throws(() => decodeStructure("NDIS_OBJECT_HEADER", "x64", new Uint8Array(3)), bad);
  assert.throws(() => decodeStructure("NDIS_OBJECT_HEADER", "x64", new Uint8Array(8), 5), bad);
  const lying = new Uint8Array(64);
  new DataView(lying.buffer).setUint32(0, 0xffffffff, true);
  assert.throws(() => decodeScatterGatherList(lying, "x64"), bad);
  assert.throws(() => decodeScatterGatherList(new Uint8Array(7), "x86"), bad);
});

test.run();
