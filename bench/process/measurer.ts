/**
 * The measuring processes, seen from the bench.
 *
 * Several subjects through one call site would be slower than each alone, and two instances of one module too. So each
 * measurement has a process of its own. Processes wait while another one samples: nothing of the bench runs beside a
 * sample.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Tasks } from "../measurements/index.js";
import { assetPath } from "../subjects/index.js";
import type { Sample } from "../timing/index.js";
import type { Job, Request, Response } from "./protocol.js";
import type { Opened } from "./session.js";

/** A measurement failed in its process; the message is that process's. */
class MeasurementError extends Error {
  override readonly name: string = "MeasurementError";
}

/** One measuring process. */
export class Measurer {
  readonly #process: ChildProcess;
  #settle: ((response: Response | MeasurementError) => void) | undefined;
  #ended: MeasurementError | undefined;

  constructor(nodeArguments: readonly string[] = []) {
    this.#process = fork(assetPath("dist", "bench-child.js"), {
      execArgv: [...nodeArguments],
      serialization: "advanced", // recordings are large, and infinity is a number
    });
    this.#process.on("message", (response: Response) => this.#answer(response));
    this.#process.on("error", (error) => this.#end(`cannot start: ${error.message}`));
    this.#process.on("exit", (code, signal) => this.#end(`ended by itself (${signal ?? `exit code ${code}`})`));
  }

  #end(why: string): void {
    this.#ended = new MeasurementError(`a measuring process ${why}`);
    this.#answer(this.#ended);
  }

  #answer(response: Response | MeasurementError): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(response);
  }

  async #ask<K extends Response["kind"]>(kind: K, request: Request): Promise<Extract<Response, { kind: K }>> {
    if (this.#ended !== undefined) throw this.#ended;
    const response = await new Promise<Response | MeasurementError>((settle) => {
      this.#settle = settle;
      this.#process.send(request);
    });
    if (response instanceof MeasurementError) throw response;
    if (response.kind === "error") throw new MeasurementError(response.message);
    if (response.kind !== kind) throw new MeasurementError(`asked for ${kind}, got ${response.kind}`);
    return response as Extract<Response, { kind: K }>;
  }

  async open(job: Job): Promise<Opened> {
    try {
      return (await this.#ask("opened", { do: "open", job })).opened;
    } catch (error) {
      const what = `${job.subject}, ${job.workload.name} (${job.where})`;
      throw error instanceof MeasurementError ? new MeasurementError(`${what}: ${error.message}`) : error;
    }
  }

  async sample(): Promise<{ readonly sample: Sample; readonly sink: number }> {
    return this.#ask("sample", { do: "sample" });
  }

  async task<K extends keyof Tasks>(task: K, argument: Tasks[K]["argument"]): Promise<Tasks[K]["result"]> {
    return (await this.#ask("done", { do: "task", task, argument })).result as Tasks[K]["result"];
  }

  close(): void {
    this.#process.removeAllListeners("exit");
    this.#process.kill();
  }
}

/** Run one task alone in a fresh process. */
export async function alone<K extends keyof Tasks>(
  task: K,
  argument: Tasks[K]["argument"],
): Promise<Tasks[K]["result"]> {
  const measurer = new Measurer();
  try {
    return await measurer.task(task, argument);
  } finally {
    measurer.close();
  }
}
