/** Writes layout.h and geometries.h for core_fuzz.c into a folder: `node headers.mjs FOLDER`, after a build of the project. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const folder = process.argv[2];
if (folder === undefined) throw new Error("which folder?");

// Offsets in bytes; the second list of the file has the same names in words, for TypeScript's views.
const source = readFileSync(join(root, "bindings/generated/layout.ts"), "utf8");
const layout = /^export enum Layout \{$[\s\S]*?^\}$/m.exec(source)?.[0] ?? "";
const constants = [...layout.matchAll(/^ {2}(\w+) = (\d+),$/gm)].map(([, name, value]) => `#define ${name} ${value}u`);
if (constants.length === 0) throw new Error("no constant found in bindings/generated/layout.ts");
writeFileSync(join(folder, "layout.h"), `${constants.join("\n")}\n`);

const { GEOMETRIES, KIND_TABLE, OPERATION_KINDS } = await import(pathToFileURL(join(root, "dist/fuzz.js")).href);
const rows = GEOMETRIES.map(({ options }) => {
  const shift = Math.round(Math.log2(options.frameSize ?? 4096));
  const zones = options.zones.map((zone) => `{${zone.base}.0, ${zone.size}.0, ${zone.node ?? 0}u}`);
  return `  {${shift}u, ${options.zones.length}u, ${options.tags === true ? 1 : 0}, {${zones.join(", ")}}},`;
});
const kinds = OPERATION_KINDS.map((kind, index) => `#define KIND_${kind} ${index}`);
const table = KIND_TABLE.map((kind) => OPERATION_KINDS.indexOf(kind));
writeFileSync(
  join(folder, "geometries.h"),
  `typedef struct { double base, size; uint32_t node; } Zone;
typedef struct { uint32_t frame_shift, zones; int tags; Zone zone[4]; } Geometry;
#define GEOMETRY_COUNT ${GEOMETRIES.length}
static const Geometry geometries[GEOMETRY_COUNT] = {
${rows.join("\n")}
};
${kinds.join("\n")}
static const uint8_t kind_table[256] = {${table.join(", ")}};
`,
);
