/**
 * Exactly once, with a real PostgreSQL server: workers that are killed, stopped and resumed, and a server that is killed and
 * restarted, end in the rows of one sequential run. With `NDIS_SHMEM_LONG=1`, which takes ten minutes or more: 120 jobs, four workers, two of
 * them killed, one stopped for 15 seconds, the server killed twice; otherwise a quarter of that.
 */
// timeout: 900 s
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import { coverageOf } from "../../src/campaign/coverage.js";
import {
  type Bundle,
  bundleDriver,
  type CampaignResult,
  Database,
  initialise,
  openQueue,
  PACKAGE_VERSION,
  ROLES,
  readResults,
  startWorker,
  stopCampaign,
  submitCampaign,
} from "../../src/campaign/index.js";
import { BUILT_IN_DRIVERS, fuzzDriver } from "../../src/fuzz/index.js";
import { ndisShmem } from "../repository/command.js";
import { CLEAN, endsThread, FAULTY } from "./fixtures/drivers.js";
import { C_DEVICE, DRIVER_BUGS, plantedInC, plantedModules } from "./planted.js";
import { postgresFolder, TestServer } from "./postgres.js";

const found = postgresFolder();
const why = "absent" in found ? found.absent : undefined;
const test = suite("campaign over PostgreSQL");
const long = process.env.NDIS_SHMEM_LONG === "1";
const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-exact-"));
let server: TestServer;
let database: Database;
let drivers: Bundle[] = [];

/** Scenarios of a part, and of a job: two drivers make 120 jobs, or 32. */
const SCENARIOS = long ? 9000 : 1600;
const PER_JOB = long ? 150 : 100;

async function driver(name: string, text: string): Promise<Bundle> {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, text);
  return bundleDriver(file);
}

if (!("absent" in found)) {
  test.before(async () => {
    server = await TestServer.start(found.bin);
    await initialise(server.url);
    database = await Database.open(server.url);
    drivers = [await driver("faulty", FAULTY), await driver("clean", CLEAN)];
  });
  test.after(async () => {
    await database.close();
    server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
}

function check(name: string, work: () => Promise<void>): void {
  if (why === undefined) test(name, work);
  else test.skip(`${name} skipped: ${why}`, () => undefined);
}

const submit = (name: string, bundles: readonly Bundle[] = drivers, scenarios = SCENARIOS) =>
  submitCampaign(database, {
    name,
    drivers: bundles,
    searches: ["random"],
    scenarios,
    jobSeconds: 1,
    rates: new Map(bundles.map(({ hash }) => [hash, PER_JOB])),
  });

/** A worker in a process of its own. */
function worker(threads: number): ChildProcess {
  return spawn(process.execPath, ["dist/cli.js", "campaign", "work", "--jobs", String(threads), "--until-done"], {
    env: { ...process.env, NDIS_SHMEM_DB: server.url, NDIS_SHMEM_LOCK_MS: "4000" },
    stdio: ["ignore", "ignore", openSync(join(folder, "workers.log"), "a")],
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}

async function doneShare(name: string): Promise<number> {
  try {
    const parts = (await readResults(database, name)).drivers.flatMap((one) => one.parts);
    return parts.reduce((sum, part) => sum + part.done, 0) / parts.reduce((sum, part) => sum + part.total, 0);
  } catch {
    return 0; // The server is away, which is what this test does to it; asked again.
  }
}

async function until(name: string, share: number): Promise<void> {
  while ((await doneShare(name)) < share) await sleep(100);
}

/** What must be equal: everything but the campaign's name. */
function rows(result: CampaignResult): Omit<CampaignResult, "name"> {
  const { name: _, ...rest } = result;
  return rest;
}

let exact: CampaignResult;

check("one worker comes to what the fuzzer alone comes to, in one run from end to end", async () => {
  await submit("one");
  const running = await startWorker(database, { place: { db: server.url }, threads: 1 });
  await until("one", 1);
  await running.close();
  exact = await readResults(database, "one");
  assert.ok(exact.complete);
  assert.is(running.counts.repeated, 0);
  assert.is(running.counts.jobs, (2 * SCENARIOS) / PER_JOB);

  const base = BUILT_IN_DRIVERS.find((one) => one.name === "e100bex");
  assert.ok(base !== undefined);
  for (const result of exact.drivers) {
    const states = new Set<number>();
    const truth = await fuzzDriver(base, {
      search: "random",
      until: SCENARIOS,
      runs: 1e9,
      keepGoing: true,
      shrink: false,
      check:
        result.name === "clean"
          ? undefined
          : ({ machine, adapters, ended: over }) => {
              if (over && adapters.length > 1) return "two adapters were there";
              if (over && machine.nowNs % 11 === 3) throw new Error("the time is 3 modulo 11");
              return undefined;
            },
      goOn(progress) {
        for (const state of progress.states) states.add(state);
        return true;
      },
    });
    assert.is(result.scenarios, truth.runs);
    assert.is(result.events, truth.events);
    assert.is(result.situations, truth.situations);
    const { exact: some, registers } = coverageOf(states, new Uint8Array(0));
    const [row] = (
      await database.query("select exact, registers from ndis_shmem.coverage where campaign = 'one' and hash = $1", [
        result.hash,
      ])
    ).rows;
    assert.ok(row !== undefined);
    if (registers === null) assert.is((row.exact as Buffer).length, (some?.length ?? 0) * 8);
    else assert.ok(Buffer.from(registers).equals(row.registers as Buffer));
    const counted = (
      all: readonly { readonly count: number; readonly first: object }[],
      field: "bytes" | "hex",
    ): unknown => all.map(({ count, first }) => [count, (first as Record<string, unknown>)[field]]).sort();
    assert.equal(counted(result.findings, "bytes"), counted(truth.classes, "hex"));
    assert.is(result.findings.length > 0, result.name === "faulty");
  }
});

check("workers and the server die in the middle, and the rows are the same", async () => {
  await submit("many");
  await submit("many"); // Again is harmless.
  const workers = Array.from({ length: long ? 4 : 2 }, () => worker(1));
  const [first, second, third] = workers as [ChildProcess, ChildProcess, ChildProcess | undefined];
  await until("many", 0.1);
  first.kill("SIGKILL");
  await until("many", 0.3);
  await server.kill();
  await sleep(500);
  server.run();
  if (long) {
    third?.kill("SIGSTOP");
    await until("many", 0.5);
    second.kill("SIGKILL");
    await sleep(15_000);
    third?.kill("SIGCONT");
    await until("many", 0.7);
    await server.kill();
    await sleep(500);
    server.run();
  }
  const rest = workers.filter((one) => one !== first && !(long && one === second));
  const codes = await Promise.all(rest.map(ended));
  assert.equal(
    codes,
    rest.map(() => 0),
    readFileSync(join(folder, "workers.log"), "utf8").slice(-4000),
  );
  const result = await readResults(database, "many");
  assert.ok(result.complete);
  assert.equal(rows(result), rows(exact));
});

check("submitted again, when all is done, nothing changes; another plan under the name is refused", async () => {
  const before = rows(await readResults(database, "one"));
  assert.is((await submit("one")).added, 0);
  assert.equal(rows(await readResults(database, "one")), before);
  try {
    await submit("one", drivers, SCENARIOS + 1);
    assert.unreachable();
  } catch (error) {
    assert.is((error as ShmemError).code, "BAD_CAMPAIGN");
    assert.is((error as ShmemError).field, "scenarios");
  }
  assert.equal(rows(await readResults(database, "one")), before);
});

check("a worker of another version refuses by name", async () => {
  await submit("foreign", [drivers[1] as Bundle], 400);
  try {
    await startWorker(database, { place: { db: server.url }, threads: 1, version: "99.0.0" });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ShmemError);
    assert.is((error as ShmemError).code, "FOREIGN_VERSION");
    assert.match((error as ShmemError).message, /foreign \(/);
  }
  try {
    await submitCampaign(database, { name: "foreign", drivers, scenarios: 400, rates: new Map() }, "99.0.0");
    assert.unreachable();
  } catch (error) {
    assert.is((error as ShmemError).code, "FOREIGN_VERSION");
    assert.is((error as ShmemError).value, PACKAGE_VERSION);
  }
  await stopCampaign(database, "foreign");
});

check("drivers that spin and exit are findings, and the worker is alive", async () => {
  const bad = [await driver("spins", endsThread("for (;;) {}")), await driver("exits", endsThread("process.exit(3);"))];
  await submit("bad", bad, 60);
  const running = await startWorker(database, { place: { db: server.url }, threads: 2, limits: { scenarioMs: 750 } });
  await until("bad", 1);
  assert.is(
    (await database.query("select count(*) as workers from ndis_shmem.worker where id = $1", [running.id])).rows[0]
      ?.workers,
    "1",
  );
  await running.close();
  const { drivers: results } = await readResults(database, "bad");
  assert.equal(
    results.map(({ name, findings }) => [name, findings.map(({ code }) => code)]),
    [
      ["exits", ["EXIT"]],
      ["spins", ["SPIN"]],
    ],
  );
});

check("a campaign that is stopped hands out nothing, and goes on when it is resumed", async () => {
  const one = [drivers[1] as Bundle];
  await submit("held", one, 400);
  await stopCampaign(database, "held");
  const running = await startWorker(database, { place: { db: server.url }, threads: 1 });
  await sleep(1500);
  assert.is(await doneShare("held"), 0);
  await stopCampaign(database, "held", false);
  await until("held", 1);
  await running.close();
  assert.is((await readResults(database, "held")).scenarios, 400);
});

check("jobs that vanish from the queue are handed out again", async () => {
  const one = [drivers[1] as Bundle];
  await submit("lost", one, 300);
  await database.query("update ndis_shmem.part set handed = total where campaign = 'lost'");
  const running = await startWorker(database, { place: { db: server.url }, threads: 1 });
  await until("lost", 1);
  await running.close();
  assert.is((await readResults(database, "lost")).scenarios, 300);
});

check("each role may do its part and no more", async () => {
  await database.query("create user sub login in role ndis_shmem_submit");
  await database.query("create user wrk login in role ndis_shmem_work");
  await database.query("create user rdr login in role ndis_shmem_read");
  const as = (user: string): string => server.url.replace("postgres@", `${user}@`);
  const refused = async (user: string, statement: string): Promise<void> => {
    const own = await Database.open(as(user));
    try {
      await own.query(statement);
      assert.unreachable(`${user} may: ${statement}`);
    } catch (error) {
      assert.is((error as { readonly code?: string }).code, "42501", String(error));
    } finally {
      await own.close();
    }
  };
  assert.equal(Object.keys(ROLES), ["submit", "work", "read"]);
  await refused("rdr", "insert into ndis_shmem.bundle values ('x', 'x', '')");
  await refused("rdr", "delete from bullmq.job");
  await refused("rdr", "update ndis_shmem.campaign set stopped_at = now()");
  await refused("wrk", "insert into ndis_shmem.bundle values ('x', 'x', '')");
  await refused("wrk", "insert into ndis_shmem.part select * from ndis_shmem.part");
  await refused("sub", "update ndis_shmem.finding set count = 0");
  await refused("sub", "update ndis_shmem.bundle set content = ''");
  await refused("sub", "update ndis_shmem.campaign set version = 'x'");
  await refused("sub", "delete from bullmq.job");

  const submitter = await Database.open(as("sub"));
  await submitCampaign(submitter, {
    name: "roles",
    drivers: [drivers[1] as Bundle],
    searches: ["random"],
    scenarios: 200,
    rates: new Map(),
  });
  await submitter.close();
  const working = await Database.open(as("wrk"));
  const running = await startWorker(working, { place: { db: as("wrk") }, threads: 1 });
  await until("roles", 1);
  await running.close();
  await working.close();
  const reader = await Database.open(as("rdr"));
  assert.is((await readResults(reader, "roles")).scenarios, 200);
  await reader.close();
  const queue = await openQueue({ db: as("rdr") }, PACKAGE_VERSION);
  assert.is((await queue.getJobCounts("active")).active, 0);
  await queue.close();
});

check("every planted bug of a driver is found by one campaign", async () => {
  // The short form plants a few; the long one plants all.
  const bugs = long ? DRIVER_BUGS : DRIVER_BUGS.filter((_, at) => at % 13 === 0);
  const paths = await plantedModules(folder, bugs);
  const hasCompiler = spawnSync("clang", ["--version"]).status === 0;
  // Twenty drivers in C take ten minutes more, so they have a switch of their own.
  const inC = hasCompiler && process.env.NDIS_SHMEM_C_CAMPAIGN === "1" ? await plantedInC(folder) : [];
  const bundles = await Promise.all([
    ...paths.map((path) => bundleDriver(path)),
    ...inC.map((path) => bundleDriver(path, { device: C_DEVICE })),
  ]);
  await submitCampaign(database, {
    name: "planted",
    drivers: bundles,
    searches: ["random", "sweep"],
    scenarios: 1536,
    jobSeconds: 1,
    rates: new Map(bundles.map(({ hash }) => [hash, 512])),
  });
  const running = await startWorker(database, { place: { db: server.url }, threads: 2 });
  await until("planted", 1);
  await running.close();
  const { drivers: played } = await readResults(database, "planted");
  const classes = played.map(({ name, findings }) => [name, findings.length] as const);
  assert.equal(
    classes.filter(([, count]) => count === 0).map(([name]) => name),
    [],
  );
  if (long) console.log(classes.map(([name, count]) => `${name}: ${count} classes`).join("\n"));
});

check(
  "the command: results as a table, as JSON and as files; watch; a password is refused; a wrong name says which are there",
  async () => {
    process.env.NDIS_SHMEM_DB = server.url;
    // Where the drivers' import of this package leads, as in a user's project.
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(process.cwd(), join(folder, "node_modules", "ndis-shmem"), "junction");
    const out = join(folder, "out");
    const table = await ndisShmem("campaign", "results", "--name", "one", "--out", out);
    assert.is(table.code, 1);
    assert.match(table.out, /^one \(version .*\), complete: [\d,]+ scenarios, \d+ classes of finding$/m);
    assert.match(table.out, /again: {2}ndis-shmem fuzz \.\/faulty\.mjs --scenario [0-9a-f]+/);
    const faulty = readdirSync(out).find((name) => name.startsWith("faulty-")) as string;
    const files = readdirSync(join(out, faulty));
    for (const ending of ["faulty.mjs", ".replay.json", ".txt", ".test.mjs", ".uvu.mjs"]) {
      assert.ok(
        files.some((name) => name.endsWith(ending)),
        `${ending} among ${files.join(", ")}`,
      );
    }
    const replay = files.find((name) => name.endsWith(".replay.json")) as string;
    const again = spawnSync(
      process.execPath,
      ["dist/cli.js", "fuzz", join(out, faulty, "faulty.mjs"), "--replay", join(out, faulty, replay)],
      { encoding: "utf8" },
    );
    assert.is(again.status, 1, again.stdout + again.stderr);
    const json = JSON.parse((await ndisShmem("campaign", "results", "--name", "one", "--json")).out) as CampaignResult;
    assert.equal(json, exact);
    const watched = await ndisShmem("campaign", "watch", "--once");
    assert.match(watched.out, /^one {2}complete/m);
    assert.match(watched.out, /^workers \d+ with \d+ threads/m);
    const secret = await ndisShmem("campaign", "results", "--name", "one", "--db", "postgres://me:secret@db/x");
    assert.is(secret.code, 2);
    assert.match(secret.err, /password/);
    assert.not.match(secret.err, /secret/);
    const wrong = await ndisShmem("campaign", "results", "--name", "onne");
    assert.is(wrong.code, 2);
    assert.match(
      wrong.err,
      /there is no campaign "onne"; there is bad, foreign, held, lost, many, one, planted, roles/,
    );
    const action = await ndisShmem("campaign", "sumbit");
    assert.match(action.err, /campaign takes an action, not `sumbit`: init, submit, work, watch, results, stop, board/);
    const option = await ndisShmem("campaign", "stop", "--name", "one", "--json");
    assert.match(option.err, /campaign stop has no option --json; it has --db, --redis, --name, --resume/);
  },
);

test.run();
