/**
 * The program of a measuring process: see protocol.ts. Started by `Measurer`, ends when its channel closes.
 */
import { runTask } from "../measurements/index.js";
import { subjectNamed } from "../subjects/index.js";
import { makeWorkload } from "../workloads/index.js";
import type { Request, Response } from "./protocol.js";
import { Session } from "./session.js";

let session: Session | undefined;

async function answer(request: Request): Promise<Response> {
  switch (request.do) {
    case "open": {
      const { subject, where, workload, limits } = request.job;
      session = new Session(await subjectNamed(subject), where, makeWorkload(workload));
      return { kind: "opened", opened: session.prepare(limits) };
    }
    case "sample": {
      if (session === undefined) throw new Error("a sample was asked for before a job was opened");
      return { kind: "sample", sample: session.sample(), sink: session.sink };
    }
    case "task":
      return { kind: "done", result: await runTask(request.task, request.argument) };
  }
}

process.on("message", (request: Request) => {
  answer(request).then(
    (response) => process.send?.(response),
    (error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ kind: "error", message } satisfies Response);
    },
  );
});
process.on("disconnect", () => process.exit());
