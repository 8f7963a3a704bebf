/**
 * What the pages say of the project is so: links lead somewhere, named files exist, every dependency is explained, and
 * the request that docs/architecture.md walks through happens as it says.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { VirtualAddress } from "../../bindings/core/index.js";
import { Layout as L } from "../../bindings/generated/layout.js";
import { readCapture } from "../../src/capture/index.js";
import { DRIVERS } from "../../src/drivers/index.js";
import { Machine } from "../../src/index.js";

const pages = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs").map((name) => `docs/${name}`),
  ...readdirSync("docs/contributing").map((name) => `docs/contributing/${name}`),
  "examples/README.md",
  "examples/traffic/README.md",
].filter((name) => name.endsWith(".md"));

/** Text without its fenced blocks. */
function prose(markdown: string): string {
  return markdown.replace(/^(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1[^\n]*$/gm, "");
}

/** The anchors that a renderer gives to the headings of a page. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...prose(markdown).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- ]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Links of a page into the project that lead nowhere. */
function deadLinks(page: string, markdown: string): string[] {
  const links = [...prose(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const file = join(dirname(page), path);
    if (path !== "" && !existsSync(file)) return true;
    if (anchor === undefined) return false;
    return !anchorsOf(path === "" ? markdown : readFileSync(file, "utf8")).has(anchor);
  });
}

for (const page of pages) {
  test(`${page}: every link leads somewhere`, () => {
    const dead = deadLinks(page, readFileSync(page, "utf8"));
    assert.equal(dead, [], `${page}: ${dead.join(", ")}`);
  });
}

test("a dead link and a dead anchor are noticed", () => {
  const text =
    "# A b, `c`\n[x](#a-b-c) [y](#a-b) [z](../nothing.md) [w](https://example.org)\n```text\n[v](no.md)\n```\n";
  assert.equal(deadLinks("docs/planted.md", text), ["#a-b", "../nothing.md"]);
});

test("the files that the pages name exist", () => {
  const named = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/embedding.md",
    "docs/wire-format.md",
    "docs/contributing/code-map.md",
    "docs/contributing/how-to-add.md",
  ].flatMap((page) =>
    [
      ...prose(readFileSync(page, "utf8")).matchAll(
        /`((?:assembly|bindings|src|bench|examples|test|docs|build)\/[\w./-]*\.(?:ts|mjs|md))`/g,
      ),
    ].map(([, file = ""]) => file),
  );
  assert.ok(named.length > 20, `only ${named.length} files are named`);
  assert.equal(
    named.filter((file) => !existsSync(file)),
    [],
  );
});

const architecture = readFileSync("docs/architecture.md", "utf8");

test("README.md names every entry point and every error code", () => {
  const readme = readFileSync("README.md", "utf8");
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { readonly exports: object };
  const doors = Object.keys(manifest.exports).filter((door) => door !== "./package.json");
  for (const door of doors) assert.match(readme, `| \`ndis-shmem${door.slice(1)}\` |`);
  const codes = [...readFileSync("bindings/errors.ts", "utf8").matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(
    ([, code = ""]) => code,
  );
  assert.ok(codes.length > 25, `only ${codes.length} codes found`);
  const section = readme.slice(readme.indexOf("### Errors"), readme.indexOf("## Numbers"));
  for (const code of codes) assert.match(section, `\`${code}\``);
});

test("the refusal that README.md quotes is one that a wrong driver meets", () => {
  const words = (text: string): string => text.replace(/\s+/g, " ").trim();
  const section = readFileSync("README.md", "utf8").split("## What a mistake looks like")[1] ?? "";
  const quoted = words(/```text\n([\s\S]*?)```/.exec(section)?.[1] ?? "");
  assert.ok(quoted.length > 100);
  assert.ok(words(readFileSync("docs/wrong-drivers.md", "utf8")).includes(quoted), quoted);
});

test("every dependency is explained, and nothing else", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const section = architecture.slice(architecture.indexOf("## Dependencies"), architecture.indexOf("## How to add"));
  const rows = [...section.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, name = "", when = ""]) => ({
    name,
    atRunTime: when === "at run time",
  }));
  const names = (wanted: boolean): string[] => rows.filter((row) => row.atRunTime === wanted).map((row) => row.name);
  assert.equal(names(true).sort(), Object.keys(manifest.dependencies).sort());
  assert.equal(names(false).sort(), Object.keys(manifest.devDependencies).sort());
});

test("the request that the page walks through happens as it says", async () => {
  const driver = DRIVERS.find(({ name }) => name === "e100bex");
  assert.ok(driver);
  const { frames } = readCapture(new Uint8Array(readFileSync("examples/traffic/two-hosts.pcap")));
  const machine = Machine.openSync({ zones: [{ base: 0x1000000, size: 2 ** 20 }], seed: 1 });
  const device = driver.device({ onDrop: () => {}, interruptLatencyNs: () => 20_000 });
  const adapter = await machine.add(await machine.load(driver), { device, holdNs: () => 4_000_000 });
  const deliver = (at: number): void => {
    const frame = frames[at];
    if (frame === undefined) return;
    device.receive(frame.bytes, frame.originalLengthBytes);
    machine.after((frames[at + 1]?.timeNs ?? 0) - frame.timeNs, () => deliver(at + 1));
  };
  machine.after(0, () => deliver(0));
  const asked = (): number => machine.log.findIndex((line) => line.includes("AsyncEx"));
  await machine.run(() => asked() >= 0);
  const drawn = /^[01 ]{64,}$/m.exec(architecture)?.[0].replaceAll(" ", "");
  assert.is(bitmapOfFirstGroup(machine.core.snapshot()), drawn, "the free frames before the request");
  await machine.run(() => adapter.record.completed > 0);

  // Steps and times hang on the latencies that `npm start` draws; the rest of each line is as the page quotes it.
  const withoutTime = (line: string): string => line.split(" ").slice(2).join(" ");
  const quoted = architecture.split("\n").filter((line) => /^\d+ \d+ p\d /.test(line));
  assert.is(quoted.length, 3);
  const told = machine.log.slice(asked()).filter((line) => /AsyncEx .* #1$|serve 1 |complete #1 /.test(line));
  assert.equal(told.slice(0, 3).map(withoutTime), quoted.map(withoutTime));
  const block = 0x400001011000 as VirtualAddress;
  assert.is(machine.core.physicalOf(block), 0x1011000);
  assert.is(machine.core.lengthOf(block), 1554);
  assert.is(machine.core.explain(block).block?.tag, 4);
});

/** The free bitmap of the first group of the first zone, bit 63 first. */
function bitmapOfFirstGroup(snapshot: Uint8Array): string {
  const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
  const at = (offset: number): number => offset - L.IMAGE + 24 + L.HEADER_SIZE;
  const group = Math.floor(view.getUint32(at(L.ZONES + L.Z_FIRST), true) / 64);
  const bitmaps = view.getUint32(at(L.ZONES + L.Z_FREE_BITMAPS), true);
  return view
    .getBigUint64(at((bitmaps + group * 16) >>> 0), true)
    .toString(2)
    .padStart(64, "0");
}

test.run();
