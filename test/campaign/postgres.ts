/** A PostgreSQL server of the test's own: a new cluster in a temporary folder, on a free port of the loopback address. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** The folder with initdb and pg_ctl, or why there is none. */
export function postgresFolder(): { readonly bin: string } | { readonly absent: string } {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((one, other) => Number(other) - Number(one)) : [];
  const places = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  const bin = places.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "pg_ctl")));
  return bin === undefined ? { absent: "PostgreSQL is not installed (apt-get install postgresql)" } : { bin };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
}

/** See the head of this file. */
export class TestServer {
  readonly url: string;
  readonly #folder: string;
  readonly #bin: string;
  readonly #port: number;

  private constructor(bin: string, folder: string, port: number) {
    this.#bin = bin;
    this.#folder = folder;
    this.#port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  static async start(bin: string): Promise<TestServer> {
    const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-postgres-"));
    const server = new TestServer(bin, folder, await freePort());
    // The server refuses to run as root; then it runs as the user that its package made.
    if (process.getuid?.() === 0) {
      const [, , uid, gid] = (spawnSync("getent", ["passwd", "postgres"], { encoding: "utf8" }).stdout ?? "").split(
        ":",
      );
      chownSync(folder, Number(uid), Number(gid));
    } else mkdirSync(folder, { recursive: true });
    server.#command("initdb", "-D", join(folder, "data"), "-U", "postgres", "--auth=trust", "--no-sync");
    server.run();
    return server;
  }

  #command(name: string, ...args: string[]): void {
    const program = join(this.#bin, name);
    const result: SpawnSyncReturns<string> =
      process.getuid?.() === 0
        ? spawnSync("runuser", ["-u", "postgres", "--", program, ...args], { encoding: "utf8", cwd: this.#folder })
        : spawnSync(program, args, { encoding: "utf8", cwd: this.#folder });
    if (result.status !== 0) throw new Error(`${name} failed:\n${result.stdout}${result.stderr}`);
  }

  /** Start the server, after `kill` once more. */
  run(): void {
    const options = `-p ${this.#port} -k ${this.#folder} -c listen_addresses=127.0.0.1 -c fsync=off`;
    this.#command(
      "pg_ctl",
      "-D",
      join(this.#folder, "data"),
      "-l",
      join(this.#folder, "log"),
      "-o",
      options,
      "-w",
      "start",
    );
  }

  /** SIGKILL to the server: every connection breaks, nothing is written to its end. */
  async kill(): Promise<void> {
    const [pid] = readFileSync(join(this.#folder, "data", "postmaster.pid"), "utf8").split("\n");
    process.kill(Number(pid), "SIGKILL");
    // Its children notice within a moment; a new server refuses to start before.
    await new Promise((done) => setTimeout(done, 1500));
    rmSync(join(this.#folder, "data", "postmaster.pid"), { force: true });
  }

  stop(): void {
    this.#command("pg_ctl", "-D", join(this.#folder, "data"), "-m", "immediate", "-w", "stop");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
