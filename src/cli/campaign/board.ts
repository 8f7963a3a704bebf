/** `ndis-shmem campaign board`: bull-board on this machine, to look into the queue. Needs two packages more. */
import { once } from "node:events";
import type { QueuePlace } from "../../campaign/index.js";
import { EXIT } from "../../report/index.js";
import type { CommandIo } from "../command.js";

type Campaign = typeof import("../../campaign/index.js");

interface BoardApi {
  createBullBoard(options: { readonly queues: readonly object[]; readonly serverAdapter: object }): unknown;
}
interface BoardAdapter {
  readonly BullMQAdapter: new (queue: unknown, options: object) => object;
}
interface BoardServer {
  readonly ExpressAdapter: new () => { setBasePath(path: string): unknown; getRouter(): unknown };
}
interface Express {
  (): {
    use(path: string, router: unknown): void;
    listen(port: number, host: string): NodeJS.EventEmitter & { close(): void };
  };
  readonly default?: Express;
}

export async function board(campaign: Campaign, place: QueuePlace, port: number, io: CommandIo): Promise<number> {
  const { createBullBoard } = await campaign.loadPeer<BoardApi>("@bull-board/api");
  const { BullMQAdapter } = await campaign.loadPeer<BoardAdapter>("@bull-board/api/bullMQAdapter");
  const { ExpressAdapter } = await campaign.loadPeer<BoardServer>("@bull-board/express");
  const { default: express } = (await import("express" as string)) as { readonly default: Express };
  const queue = await campaign.openQueue(place, campaign.PACKAGE_VERSION);
  const adapter = new ExpressAdapter();
  adapter.setBasePath("/");
  // Read-only: what is removed or tried again by hand would be handed out again by the next look of a worker anyway.
  createBullBoard({ queues: [new BullMQAdapter(queue, { readOnlyMode: true })], serverAdapter: adapter });
  const app = express();
  app.use("/", adapter.getRouter());
  const server = app.listen(port, "127.0.0.1");
  await once(server, "listening");
  io.err(`http://127.0.0.1:${port}/ until Ctrl-C; for this machine alone, since it has no log-in\n`);
  await once(process, "SIGINT");
  server.close();
  await queue.close();
  return EXIT.clean;
}
