/**
 * Measurements that are no replay of a workload: each is a function that runs alone in a fresh process and returns plain
 * data. The parent knows them by name.
 */

type Task = (argument: never) => unknown;

const TASKS: Readonly<Record<string, Task>> = {};

/** Run a task in this process. */
export async function runTask(name: string, argument: unknown): Promise<unknown> {
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (task === undefined) throw new Error(`there is no task ${name}`);
  return task(argument as never);
}
