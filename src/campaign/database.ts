/**
 * The connection to PostgreSQL: the optional peer `pg`, loaded when a campaign command runs, and what every statement of
 * this folder goes through.
 *
 * A URL with a password is refused: command lines are seen by every user of a machine. The password comes from the
 * environment (`PGPASSWORD`), from `PGPASSFILE`, or inside the URL of the variable `NDIS_SHMEM_DB`. No message of this
 * folder repeats a URL with its password.
 */
import { ShmemError } from "../../bindings/index.js";
import { GRANTS, LEAST_SERVER, MAKE_ROLES, QUEUE_SCHEMA, SCHEMA, SCHEMA_VERSION, TABLES } from "./schema.js";

/** One row of an answer. */
export type Row = Readonly<Record<string, unknown>>;

/** The part of a `pg` client or pool that this folder uses. */
export interface Session {
  /** One statement; `$1` and so on stand for `values`. Rejects with what `pg` says, which has PostgreSQL's `code`. */
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Row[]; readonly rowCount: number | null }>;
}

interface Client extends Session {
  release(error?: Error | boolean): void;
  on(event: "error", listener: () => void): unknown;
  removeListener(event: "error", listener: () => void): unknown;
}

/** For errors that the next statement on the connection reports too: without a listener Node would end the process. */
function ignoreHere(): void {}

/** The part of `pg.Pool` that this folder uses. */
interface Pool extends Session {
  connect(): Promise<Client>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

interface PgModule {
  readonly Pool: new (options: Readonly<Record<string, unknown>>) => Pool;
}

/** Load an optional peer, or say which package is missing and the line that installs it. */
export async function loadPeer<Module>(name: string): Promise<Module> {
  try {
    const module = (await import(name)) as { readonly default?: Module } & Module;
    return module.default === undefined ? module : Object.assign({}, module.default, module);
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new ShmemError("MISSING_PEER", `campaigns need the package ${name}: npm install ${name}`, {
      field: "package",
      value: name,
      cause,
    });
  }
}

/**
 * The URL that a command was given, checked: `postgres://USER@HOST:PORT/DATABASE`, with `?sslmode=verify-full` and the other
 * parameters of `pg`.
 *
 * @throws `INVALID_ARGUMENT` for what is no PostgreSQL URL, and for a password where `fromCommandLine` is true.
 */
export function checkedUrl(given: string, fromCommandLine: boolean): string {
  let url: URL;
  try {
    url = new URL(given);
  } catch (cause) {
    // The text may hold a password, so it is not repeated.
    throw new ShmemError("INVALID_ARGUMENT", "db is no URL; it is postgres://USER@HOST:PORT/DATABASE", {
      field: "db",
      cause,
    });
  }
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      `db is a URL of ${url.protocol}//; it is postgres://USER@HOST:PORT/DATABASE`,
      {
        field: "db",
        value: url.protocol,
      },
    );
  }
  const inQuery = url.searchParams.has("password") || url.searchParams.has("sslpassword");
  if (fromCommandLine && (url.password !== "" || inQuery)) {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      "db holds a password, which every user of this machine can read in the list of processes; " +
        "set PGPASSWORD or PGPASSFILE, or put the URL into the variable NDIS_SHMEM_DB",
      { field: "db" },
    );
  }
  return given;
}

/** A URL as messages may show it. */
export function withoutPassword(url: string): string {
  const shown = new URL(url);
  if (shown.password !== "") shown.password = "***";
  for (const name of ["password", "sslpassword"]) if (shown.searchParams.has(name)) shown.searchParams.set(name, "***");
  return shown.href;
}

/** A pool of connections to the database of campaigns. */
export class Database {
  /** The URL it was opened with, password included: not for messages, see `withoutPassword`. */
  readonly url: string;
  readonly #pool: Pool;

  private constructor(url: string, pool: Pool) {
    this.url = url;
    this.#pool = pool;
  }

  /**
   * Connect, and check the version of the tables unless `checked` is false.
   *
   * @throws `MISSING_PEER` without `pg`; `BAD_CAMPAIGN` where the database was not initialised or is of another layout;
   * what `pg` throws where the server cannot be reached.
   */
  static async open(
    url: string,
    options: { readonly connections?: number; readonly checked?: boolean } = {},
  ): Promise<Database> {
    const { Pool: PgPool } = await loadPeer<PgModule>("pg");
    const pool = new PgPool({
      connectionString: url,
      max: options.connections ?? 4,
      application_name: "ndis-shmem campaign",
      keepAlive: true,
    });
    // An idle connection that breaks is replaced at its next use; without a listener Node would end the process.
    pool.on("error", ignoreHere);
    const database = new Database(url, pool);
    try {
      if (options.checked !== false) await database.#check();
      return database;
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  async #check(): Promise<void> {
    const { rows } = await this.query("select to_regclass($1) is not null as there", [`${SCHEMA}.schema_version`]);
    if (rows[0]?.there !== true) {
      throw new ShmemError(
        "BAD_CAMPAIGN",
        "the database has no campaign tables; run `ndis-shmem campaign init` on it once",
        {
          field: "db",
          value: withoutPassword(this.url),
        },
      );
    }
    const version = Number(
      (await this.query(`select max(version) as version from ${SCHEMA}.schema_version`)).rows[0]?.version,
    );
    if (version !== SCHEMA_VERSION) {
      throw new ShmemError(
        "BAD_CAMPAIGN",
        `the campaign tables have layout ${version}, this version of ndis-shmem knows layout ${SCHEMA_VERSION}`,
        { field: "db", value: version, unit: "layout" },
      );
    }
  }

  /** One statement, on any connection. */
  query(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<{ readonly rows: readonly Row[]; readonly rowCount: number | null }> {
    return this.#pool.query(text, values);
  }

  /** `work` inside one transaction: committed when it returns, rolled back when it throws. */
  async transaction<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect();
    // A server that dies says so on the connection itself, between two statements of ours.
    client.on("error", ignoreHere);
    let failure: unknown;
    try {
      await client.query("begin");
      const result = await work(client);
      await client.query("commit");
      return result;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // The connection goes with a transaction that failed, so nothing half done is left on it; what it says in its last
      // moment is not heard.
      if (failure === undefined) client.removeListener("error", ignoreHere);
      client.release(failure instanceof Error ? failure : failure !== undefined);
    }
  }

  /** End every connection. */
  close(): Promise<void> {
    return this.#pool.end();
  }
}

/** What `initialise` did. */
export interface Initialised {
  /** False where the user may not make roles: then tables were made and no right was granted. */
  readonly roles: boolean;
}

/**
 * Make the tables of campaigns and of the queue, and the roles. Again is harmless.
 *
 * @throws `BAD_CAMPAIGN` for a server older than PostgreSQL 14, or a database of another layout.
 */
export async function initialise(url: string): Promise<Initialised> {
  const database = await Database.open(url, { checked: false });
  try {
    const [row] = (await database.query("show server_version_num")).rows;
    const server = Math.floor(Number(row?.server_version_num) / 10_000);
    if (server < LEAST_SERVER) {
      throw new ShmemError(
        "BAD_CAMPAIGN",
        `the server is PostgreSQL ${server}; campaigns need ${LEAST_SERVER} or later`,
        {
          field: "db",
          value: server,
          unit: "major version",
        },
      );
    }
    await database.query(`create schema if not exists ${QUEUE_SCHEMA}`);
    await migrateQueue(url);
    await database.query(TABLES);
    const mayMakeRoles = (
      await database.query("select rolcreaterole or rolsuper as may from pg_roles where rolname = current_user")
    ).rows;
    const roles = mayMakeRoles[0]?.may === true;
    if (roles) {
      await database.query(MAKE_ROLES);
      await database.query(GRANTS);
    }
    return { roles };
  } finally {
    await database.close();
  }
}

interface BullModule {
  readonly PostgresConnection: new (
    options: Readonly<Record<string, unknown>>,
  ) => {
    waitUntilReady(): Promise<void>;
    close(): Promise<void>;
    on(event: "error", listener: (error: Error) => void): unknown;
  };
}

/** The queue's own tables, by BullMQ's own migrations. */
async function migrateQueue(url: string): Promise<void> {
  const { PostgresConnection } = await loadPeer<BullModule>("bullmq");
  const connection = new PostgresConnection({ connectionString: url, schema: QUEUE_SCHEMA, migrate: true });
  try {
    await connection.waitUntilReady();
  } finally {
    await connection.close();
  }
}
