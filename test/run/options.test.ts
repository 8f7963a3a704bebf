/** The options of a command: one table reads them, refuses what they do not take, and writes the help. */
import * as assert from "node:assert/strict";
import { test } from "uvu";
import { UsageError } from "../../src/cli/command.js";
import { bytes, choice, flag, integer, optionsHelp, readOptions, text, texts } from "../../src/cli/options.js";
import { KeptIo, ndisShmem, ndisShmemOn } from "../repository/command.js";

const TABLE = {
  seed: integer("N", { least: 0, most: 9, default: 1 }, "a seed"),
  schedule: choice("NAME", ["fifo", "lifo"], { default: null }, "an order"),
  arena: bytes("BYTES", { default: null }, "a size"),
  out: text("FILE", { default: null }, "a file"),
  subject: texts("NAME", "again and again"),
  json: flag("JSON"),
};

test("options: values, defaults, both spellings, lists, and what belongs to none", () => {
  const { values, given, positionals } = readOptions(
    TABLE,
    ["one", "--seed=3", "--schedule", "lifo", "--subject", "a", "--subject=b", "--out", "-", "--", "--json"],
    2,
  );
  assert.deepEqual(values, { seed: 3, schedule: "lifo", arena: null, out: "-", subject: ["a", "b"], json: false });
  assert.deepEqual([...given], ["seed", "schedule", "subject", "out"]);
  assert.deepEqual(positionals, ["one", "--json"]);
  for (const [size, expected] of [
    ["4096", 4096],
    ["64k", 65_536],
    ["1MiB", 2 ** 20],
    ["2GB", 2 ** 31],
  ] as const) {
    assert.equal(readOptions(TABLE, ["--arena", size]).values.arena, expected);
  }
});

const refused: readonly (readonly [readonly string[], RegExp])[] = [
  [["--seed", "-1"], /--seed takes an integer from 0 to 9, not `-1`/],
  [["--seed", "10"], /--seed takes an integer from 0 to 9, not `10`/],
  [["--seed", "1.5"], /not `1.5`/],
  [["--seed", "0x1"], /not `0x1`/],
  [["--seed", ""], /not ``/],
  [["--seed="], /not ``/],
  [["--seed"], /--seed needs a value: an integer from 0 to 9/],
  [["--seed", "--json"], /--seed needs a value/],
  [["--seed", "1", "--seed", "2"], /--seed was given twice/],
  [["--schedule", "fito"], /--schedule takes fifo or lifo, not `fito`; did you mean `fifo`\?/],
  [["--schedule", "zzzzzz"], /--schedule takes fifo or lifo, not `zzzzzz`$/],
  [["--arena", "1e6"], /--arena takes a number of bytes such as 1048576, 512K or 4M, not `1e6`/],
  [["--arena", "9999999999999999G"], /--arena takes/],
  [["--out", ""], /--out takes a file, not ``/],
  [["--json=yes"], /--json takes no value, not `yes`/],
  [["--jsno"], /no option `--jsno`; did you mean `--json`\?/],
  [["--shedule=fifo"], /no option `--shedule`; did you mean `--schedule`\?/],
  [["-j"], /no option `-j`/],
  [["--toString"], /no option `--toString`/],
  [["--__proto__"], /no option `--__proto__`/],
  [["extra"], /`extra` belongs to no option/],
];

for (const [args, reason] of refused) {
  test(`options: ${args.join(" ")} is refused: ${reason.source}`, () => {
    assert.throws(
      () => readOptions(TABLE, args),
      (error) => error instanceof UsageError && reason.test(error.message),
    );
  });
}

test("options: the help has every option, in the table's order, at any width", () => {
  for (const columns of [60, 80, 120]) {
    const help = optionsHelp(TABLE, columns);
    const names = [...help.matchAll(/^ {2}--([\w-]+)/gm)].map(([, name]) => name);
    assert.deepEqual(names, [...Object.keys(TABLE), "help"]);
    for (const line of help.split("\n")) assert.ok(line.length <= columns, line);
  }
});

test("commands: the help fits a terminal of 60 columns", async () => {
  for (const args of [["--help"], ["run", "--help"]]) {
    const { code, out } = await ndisShmemOn(new KeptIo({ columns: 60 }), ...args);
    assert.equal(code, 0);
    const wide = out.split("\n").filter((line) => line.length > 80);
    assert.deepEqual(wide, []);
  }
  const { out } = await ndisShmemOn(new KeptIo({ columns: 60 }), "run", "--help");
  const options = out.slice(out.indexOf("  --driver"), out.indexOf("\n\nexit codes"));
  for (const line of options.split("\n")) assert.ok(line.length <= 60, line);
});

test("commands: --version is the package's, and an unknown command is answered with the nearest", async () => {
  const version = (await import("node:fs")).readFileSync("package.json", "utf8").match(/"version": "([^"]+)"/)?.[1];
  for (const spelling of ["--version", "-V", "version"]) {
    assert.deepEqual(await ndisShmem(spelling), { code: 0, out: `${version}\n`, err: "" });
  }
  const { code, err } = await ndisShmem("benhc");
  assert.equal(code, 2);
  assert.match(err, /no command `benhc`.*did you mean `bench`\?/);
});

test.run();
