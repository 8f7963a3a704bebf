/** The command: what it prints, what it returns, what it refuses; and the score, on one bug of each kind. */
// timeout: 400 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type SpeedLine, speed } from "../../src/cli/fuzz/speed.js";
import { TARGETS } from "../../src/fuzz/index.js";
import { KeptIo, ndisShmem, type Outcome } from "../repository/command.js";

const test = suite("ndis-shmem fuzz");

const run = (...args: string[]): Promise<Outcome> => ndisShmem("fuzz", ...args);

test("a clean driver: exit code 0, and the same report for the same seed", async () => {
  const args = ["e100bex", "--runs", "300", "--seed", "9", "--json"];
  const reports = [await run(...args), await run(...args)].map(({ code, out }) => {
    assert.is(code, 0);
    const { timing, ...report } = JSON.parse(out) as { readonly timing: { readonly runsPerSecond: number } };
    assert.ok(timing.runsPerSecond > 0);
    return report as { readonly runs?: number; readonly found?: unknown; readonly situations?: number };
  });
  assert.equal(reports[0], reports[1]);
  assert.is(reports[0]?.runs, 300);
  assert.is(reports[0]?.found, null);
  assert.ok((reports[0]?.situations ?? 0) > 50);
});

test("the systematic search says whether it exhausted its bound", async () => {
  const all = await run("e100bex", "--search", "systematic", "--bound", "2");
  assert.match(all.out, /nothing found.*the bound is exhausted: every sequence of up to 2 of its 14 events was played/);
  const some = await run("e100bex", "--search", "systematic", "--bound", "3", "--runs", "50");
  assert.match(some.out, /^e100bex: nothing found\. 50 scenarios .*the bound is not exhausted/);
});

test("a target by name and seed, as a table and as JSON", async () => {
  const { code, out } = await run("--target", "codec", "--runs", "50", "--seed", "3");
  assert.is(code, 0);
  assert.match(out, /^codec +nothing found {2}\(50 inputs, 50 operations/);
  const json = JSON.parse((await run("--target", "all", "--runs", "5", "--json")).out) as {
    readonly targets: readonly { readonly target: string; readonly runs: number }[];
  };
  assert.equal(
    json.targets.map(({ target, runs }) => [target, runs]),
    TARGETS.map(({ name }) => [name, 5]),
  );
});

test("the speed: every driver and every target, and rates that are counts over times", async () => {
  const io = new KeptIo();
  // The command takes whole seconds; a twentieth of one is enough to see that it counts.
  assert.is(await speed({ seconds: 0.05, seed: 1, json: true }, io), 0);
  assert.equal(io.errors, []);
  const report = JSON.parse(Buffer.from(io.bytes).toString()) as {
    readonly seed: number;
    readonly speed: readonly SpeedLine[];
  };
  assert.is(report.seed, 1);
  assert.equal(
    report.speed.map(({ subject, of }) => `${of} ${subject}`),
    [
      ...["e100bex", "rtlnwifi", "netkvm", "gvnic"].map((name) => `driver ${name}`),
      ...TARGETS.map(({ name }) => `target ${name}`),
    ],
  );
  for (const line of report.speed) {
    const { subject, of, runs, seconds, runsPerSecond, perRun, machineEventsPerRun, perSecond } = line;
    assert.ok(runs >= 1 && seconds >= 0.05, subject);
    assert.ok(perRun >= 1, `${subject} counts what it plays`);
    assert.is(machineEventsPerRun > 0, of === "driver", subject);
    // Seconds are rounded to thousandths, which is a fiftieth of so short a time, and counts to tenths.
    assert.ok(Math.abs(runsPerSecond * seconds - runs) <= 0.02 * runs + 1, `${subject}: ${JSON.stringify(line)}`);
    const units = runsPerSecond * (perRun + machineEventsPerRun);
    assert.ok(Math.abs(perSecond - units) <= 0.1 * units, `${subject}: ${JSON.stringify(line)}`);
  }
});

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /DRIVER is missing: a module .*e100bex, rtlnwifi, netkvm, gvnic/],
  [
    ["./no-such-driver.mjs"],
    /DRIVER is `\.\/no-such-driver\.mjs`: there is no file .*the drivers of this package are e100bex/,
  ],
  [["package.json"], /DRIVER is `.*package\.json`.*cannot be imported|exports no driver/],
  [["e100bex", "netkvm"], /one DRIVER, not 2: e100bex, netkvm/],
  [["e100bex", "--search", "lucky"], /--search takes all, random, sweep, systematic, not `lucky`/],
  [["e100bex", "--runs", "0"], /--runs takes an integer from 1 to \d+, not `0`/],
  [["e100bex", "--jobs", "65"], /--jobs takes an integer from 1 to 64, not `65`/],
  [["e100bex", "--from", "9", "--until", "3", "--search", "random"], /--until takes an integer from 9 to/],
  [["e100bex", "--until", "3"], /--until needs --search random or --search sweep/],
  [["e100bex", "--from", "3", "--search", "systematic"], /--from and --until are for random and sweep/],
  [["e100bex", "--scenario", "xyz"], /--scenario: .*scenario must be bytes in hexadecimal, .*"xyz"/],
  [["e100bex", "--scenario", "00", "--replay", "x"], /--replay or --scenario, not both/],
  [["e100bex", "--stop-at", "2"], /--stop-at halts one scenario: it needs --replay FILE or --scenario HEX/],
  [
    ["e100bex", "--stop-at", "9", "--scenario", "00000000"],
    /--stop-at takes a step of this scenario: 0 .* to 1 .*, not `9`/,
  ],
  [["e100bex", "--replay", "no/such.json"], /--replay is `no\/such\.json`, which cannot be read/],
  [["e100bex", "--replay", "test"], /--replay is `test`, which cannot be read: it is no regular file/],
  [["e100bex", "--replay", "package.json"], /--replay is `package\.json`, which is no replay file: .*format must be/],
  [["e100bex", "--corpus", "package.json"], /--corpus is `package\.json`, which is no folder/],
  [["e100bex", "--target", "core"], /DRIVER and --target: one of them at a time/],
  [["e100bex", "--only", "x"], /--all and --only choose what --score plays/],
  [["--target", "none"], /--target takes all, help, core, .*replay, not `none`/],
  [["--target", "core", "--corpus", "no/such"], /--corpus is `no\/such`, which is no folder/],
  [["e100bex", "--nonsense"], /there is no option `--nonsense`; `ndis-shmem fuzz --help` lists the options/],
  [["e100bex", "--scenari", "00"], /there is no option `--scenari`; did you mean `--scenario`\?/],
  [["e100bex", "--runs"], /--runs/],
];
for (const [args, message] of REFUSED) {
  test(`refused with exit code 2: ${args.join(" ") || "nothing at all"}`, async () => {
    const { code, err } = await run(...args);
    assert.is(code, 2);
    assert.match(err, message);
  });
}

test("the score: a bug in a driver and one in the core are planted, found and shrunk", async () => {
  for (const name of ["rtlnwifi/late-buffer-is-kept", "core/mask-not-set"]) {
    const { code, out, err } = await run("--score", "--only", name, "--json");
    assert.is(code, 0, err);
    const { bugs } = JSON.parse(out) as { readonly bugs: readonly Record<string, unknown>[] };
    assert.is(bugs.length, 1);
    const [bug] = bugs as [Record<string, unknown>];
    assert.is(bug.name, name);
    assert.is(bug.where, name.split("/")[0]);
    assert.is(bug.found, true);
    for (const field of ["runs", "seconds", "steps"]) assert.type(bug[field], "number", field);
    assert.ok((bug.steps as number) <= 12 && (bug.runs as number) >= 1);
  }
});

test.run();
