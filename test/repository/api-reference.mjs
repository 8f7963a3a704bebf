#!/usr/bin/env node
/**
 * docs/api: a page for each public entry point, made from the declarations in dist/types. `npm run api` after a build.
 *
 * The pages are not kept in the repository; they are made for the package when it is packed.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { importBundled } from "./bundled.mjs";

const { publicInterface } = await importBundled("api.ts");
const { pageOf, indexOf } = await importBundled("api-pages.ts");

const entries = publicInterface();
rmSync("docs/api", { recursive: true, force: true });
mkdirSync("docs/api", { recursive: true });
for (const entry of entries) {
  const { file, text } = pageOf(entry);
  writeFileSync(`docs/api/${file}`, text);
}
writeFileSync("docs/api/README.md", indexOf(entries));
process.stderr.write(
  `docs/api: ${entries.length} entry points, ${entries.flatMap(({ exports }) => exports).length} names\n`,
);
