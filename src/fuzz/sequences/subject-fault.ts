/**
 * A fault of what is fuzzed, told apart from a fault of the fuzzer itself.
 *
 *     const core = guardSubject(Core.openSync(...))    whatever a call of it throws is known to be the subject's
 *     throw new SubjectFault("...")                    an answer was wrong
 *     findingOf(error, step)                           those two are findings; any other error is thrown on
 *
 * A refusal (a `ShmemError`) is an answer like any other where the harness expects one; where none is expected it comes up
 * to `findingOf`, as the subject's. An error that does not come from the subject is a fault of the harness: it ends the run
 * and is never told as a finding.
 */
import { ShmemError } from "../../../bindings/index.js";

/** What is fuzzed has given a wrong answer. The message says which. */
export class SubjectFault extends Error {
  override readonly name: string = "SubjectFault";
}

/** Errors that came out of a guarded call. */
const thrownBySubjects: WeakSet<object> = new WeakSet();

/** A call into the subject: what it throws is known to be the subject's, and thrown on. */
export function subjectCall<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ofSubject(error);
  }
}

/** The same object, with every method guarded by `subjectCall`. Methods that return promises are guarded as well. */
export function guardSubject<S extends object>(subject: S): S {
  const guarded: Record<string | symbol, unknown> = {};
  for (let from: object = subject; from !== Object.prototype && from !== null; from = Object.getPrototypeOf(from)) {
    for (const key of Reflect.ownKeys(from)) {
      if (key === "constructor" || Object.hasOwn(guarded, key)) continue;
      const descriptor = Reflect.getOwnPropertyDescriptor(from, key) as PropertyDescriptor;
      if (typeof descriptor.value !== "function") {
        Object.defineProperty(guarded, key, { get: () => Reflect.get(subject, key), enumerable: true });
        continue;
      }
      const method = Reflect.get(subject, key) as (...given: unknown[]) => unknown;
      guarded[key] = (...given: unknown[]): unknown => {
        try {
          const value = method.apply(subject, given);
          return value instanceof Promise ? value.catch((error: unknown) => Promise.reject(ofSubject(error))) : value;
        } catch (error) {
          throw ofSubject(error);
        }
      };
    }
  }
  return guarded as S;
}

/** The code that a call is refused with; undefined where it succeeds. What is no refusal is thrown on. */
export function refusalCode(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (isRefusal(error)) return error.code;
    throw error;
  }
}

/** Whether an error is a refusal: typed, and not `STATE_CORRUPT`, which wraps a trap of the WebAssembly. */
export function isRefusal(error: unknown): error is ShmemError {
  return error instanceof ShmemError && error.code !== "STATE_CORRUPT";
}

/** Throws where a reference model says that an answer is illegal. `verdict`: its sentence, undefined where it is legal. */
export function assertLegal(verdict: string | undefined): void {
  if (verdict !== undefined) throw new SubjectFault(verdict);
}

/** Whether an error is a `SubjectFault` or came out of a guarded call. */
export function isOfSubject(error: unknown): error is object {
  return error instanceof SubjectFault || (typeof error === "object" && error !== null && thrownBySubjects.has(error));
}

/** The finding of a play that ended with `error`. Throws the error on where it is not the subject's. */
export function findingOf(error: unknown, step: number): { readonly step: number; readonly message: string } {
  if (error instanceof SubjectFault) return { step, message: error.message };
  if (!isOfSubject(error)) throw error;
  const { name, message, cause } = error as Error;
  const trap = cause instanceof Error ? ` (${cause.message})` : "";
  return { step, message: `it threw ${error instanceof Error ? `${name}: ${message}` : String(error)}${trap}` };
}

function ofSubject(error: unknown): object {
  if (typeof error !== "object" || error === null) return new SubjectFault(`it threw ${String(error)}`);
  thrownBySubjects.add(error);
  return error;
}
