/** What `ndis-shmem campaign --help` prints. */
export const CAMPAIGN_HELP = `usage: ndis-shmem campaign init    --db URL
       ndis-shmem campaign submit  --db URL --name NAME DRIVER... [OPTIONS]
       ndis-shmem campaign work    --db URL [--jobs N]
       ndis-shmem campaign watch   --db URL [--name NAME] [--once]
       ndis-shmem campaign results --db URL --name NAME [--json] [--out DIR]
       ndis-shmem campaign stop    --db URL --name NAME [--resume]
       ndis-shmem campaign board   --db URL [--port N]

Fuzz many drivers on many machines, over one PostgreSQL database (14 or later).
Needs the packages pg and bullmq. The database holds code that workers run:
give the right to submit to those who may run code on the workers.

  --db URL           postgres://USER@HOST:PORT/DATABASE, without a password; the
                     password comes from PGPASSWORD or PGPASSFILE. Default: the
                     variable NDIS_SHMEM_DB, which may hold a password
  --redis URL        keep the queue in Redis (needs ioredis); results stay in
                     the database. Default: the variable NDIS_SHMEM_REDIS
  --name NAME        1 to 64 letters, digits, dots, dashes, underscores
submit:
  DRIVER             as for \`fuzz\`: a module, a .wasm with --device, or a name
  --device FILE      device model of the drivers in C
  --searches LIST    random,sweep,systematic (default random,sweep)
  --seeds LIST       1-8 or 1,3,5 (default 1)
  --scenarios N      of each driver, search and seed; 1e9 is understood
                     (default 1e6)
  --bound N          systematic: events in a scenario at most (default 4)
  --job-seconds N    about how long a job plays (default 10)
work:
  --jobs N           player threads (default: one for each processor)
  --until-done       end when every campaign under way is complete
  --scenario-ms N    longest time of one scenario (default 10000)
  --heap-mib N       heap of a player thread (default 1024)
watch:
  --once             print the table once and end
results:
  --json             one JSON object on stdout and nothing else
  --out DIR          write the drivers, and the replay and test files of each
                     finding that \`fuzz\` writes
stop:
  --resume           go on with a campaign that was stopped
board:
  --port N           bull-board on 127.0.0.1 (default 3000; needs
                     @bull-board/api and @bull-board/express)
  --help             this text

exit codes: 0 done, 1 results: there are findings, 2 usage, or a database that
            cannot be reached or is not initialised
`;
