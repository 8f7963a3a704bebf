/**
 * The tables of campaigns, and the roles that may touch them.
 *
 *     campaign ─┬─ subject ──── bundle      who is played: the driver's files, kept under their hash
 *               └─ part ─┬─ (claim)         one search from one seed: how far it is handed out, and what is done of it
 *                        └─ finding         one class of finding of one driver: count, first occurrence, reproductions
 *     coverage           one row a driver    situations, states
 *     worker             one row a process   what it is, when it was last heard of
 *
 * A claim is no row: `part.done` is a set of ranges (`int8multirange`, PostgreSQL 14), and a job claims its range by the one
 * statement that adds it to a set that does not hold it. Adjoining ranges melt into one, so a part that is played to its
 * end has a set of one range, whatever the number of its jobs: a week of twenty machines adds no rows here.
 *
 * Everything lies in the schema `ndis_shmem`; the queue lies beside it, in the schema `bullmq`, and is BullMQ's own.
 */

/** Number of the layout below; a database of another one is refused by name. */
export const SCHEMA_VERSION = 1;
/** The schema of the tables below. */
export const SCHEMA = "ndis_shmem";
export const QUEUE_SCHEMA = "bullmq";

/** Least version of the server: multiranges came with 14. */
export const LEAST_SERVER = 14;

export const TABLES: string = `
create schema if not exists ${SCHEMA};

create table if not exists ${SCHEMA}.schema_version (version int primary key);
insert into ${SCHEMA}.schema_version values (${SCHEMA_VERSION}) on conflict do nothing;

create table if not exists ${SCHEMA}.bundle (
  hash text primary key,
  name text not null,
  -- gzip of the manifest: see bundle.ts. Workers run what is in it.
  content bytea not null
);

create table if not exists ${SCHEMA}.campaign (
  name text primary key,
  version text not null,
  searches text[] not null,
  seeds int8[] not null,
  scenarios int8 not null,
  bound int not null,
  job_seconds float8 not null,
  choices jsonb not null,
  created_at timestamptz not null default now(),
  stopped_at timestamptz
);

create table if not exists ${SCHEMA}.subject (
  campaign text not null references ${SCHEMA}.campaign,
  hash text not null references ${SCHEMA}.bundle,
  name text not null,
  primary key (campaign, hash)
);

create table if not exists ${SCHEMA}.part (
  campaign text not null,
  hash text not null,
  search text not null,
  seed int8 not null,
  -- Scenario numbers 0 to total - 1 are to be played, 'size' of them in a job; those below 'handed' are in the queue or done.
  total int8 not null,
  size int8 not null,
  handed int8 not null default 0,
  done int8multirange not null default '{}',
  scenarios int8 not null default 0,
  events int8 not null default 0,
  elapsed_ms float8 not null default 0,
  primary key (campaign, hash, search, seed),
  foreign key (campaign, hash) references ${SCHEMA}.subject
);

create table if not exists ${SCHEMA}.finding (
  campaign text not null,
  hash text not null,
  rule text not null,
  code text not null,
  call text not null,
  count int8 not null,
  first_rank int not null,
  first_search text not null,
  first_seed int8 not null,
  first_scenario int8 not null,
  first_bytes bytea not null,
  message text not null,
  -- The shortest reproductions, shortest first: [{ "bytes": hex, "text": ... }]
  reproductions jsonb not null,
  version text not null,
  worker text not null,
  primary key (campaign, hash, rule, code, call),
  foreign key (campaign, hash) references ${SCHEMA}.subject
);

create table if not exists ${SCHEMA}.coverage (
  campaign text not null,
  hash text not null,
  situations bytea not null,
  exact bytea,
  registers bytea,
  primary key (campaign, hash),
  foreign key (campaign, hash) references ${SCHEMA}.subject
);

create table if not exists ${SCHEMA}.worker (
  id text primary key,
  host text not null,
  pid int not null,
  threads int not null,
  version text not null,
  jobs int8 not null default 0,
  repeated int8 not null default 0,
  scenarios int8 not null default 0,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
`;

/** Names of the three roles; an administrator grants them to people and machines. */
export const ROLES = {
  /** Sends drivers and plans. What it sends, workers run: grant it to those who may run code on the workers. */
  submit: "ndis_shmem_submit",
  /** Plays, and writes results. */
  work: "ndis_shmem_work",
  /** Looks at everything, changes nothing. */
  read: "ndis_shmem_read",
} as const;

/** Roles belong to the whole server; where the user may not make them, a database works without. */
export const MAKE_ROLES: string = `
do $$ begin
  ${Object.values(ROLES)
    .map(
      (role) =>
        `if not exists (select from pg_roles where rolname = '${role}') then create role ${role} nologin; end if;`,
    )
    .join("\n  ")}
end $$;
`;

const { submit, work, read } = ROLES;
export const GRANTS: string = `
grant usage on schema ${SCHEMA} to ${submit}, ${work}, ${read};
grant usage on schema ${QUEUE_SCHEMA} to ${submit}, ${work}, ${read};
grant select on all tables in schema ${SCHEMA} to ${submit}, ${work}, ${read};
grant select on all tables in schema ${QUEUE_SCHEMA} to ${submit}, ${work}, ${read};
grant insert on ${SCHEMA}.bundle, ${SCHEMA}.campaign, ${SCHEMA}.subject, ${SCHEMA}.part, ${SCHEMA}.coverage to ${submit};
grant update (stopped_at) on ${SCHEMA}.campaign to ${submit};
grant update (handed, done, scenarios, events, elapsed_ms) on ${SCHEMA}.part to ${work};
grant insert, update on ${SCHEMA}.finding, ${SCHEMA}.worker to ${work};
grant update on ${SCHEMA}.coverage to ${work};
grant insert, update, delete on all tables in schema ${QUEUE_SCHEMA} to ${work};
grant usage on all sequences in schema ${QUEUE_SCHEMA} to ${work};
grant execute on all functions in schema ${QUEUE_SCHEMA} to ${work}, ${submit}, ${read};
`;
