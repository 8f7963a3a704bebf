/**
 * The one error type of the package.
 *
 * What a caller can cause is refused with a `ShmemError`: a stable `code`, the offending value and its unit.
 * A refused call has changed nothing. Running out of memory is an ordinary answer and never an error.
 * `message` is for people and may change between versions; `code` does not.
 */

/** Every refusal code, with the situation it names. */
export type ErrorCode =
  /** Wrong type, not an integer, negative, zero where not allowed, out of range, bad alignment, unknown key. */
  | "INVALID_ARGUMENT"
  /** No handle was given (NULL). */
  | "NULL_ADAPTER"
  /** The adapter has no scatter/gather DMA registration, or no completion handler. */
  | "NOT_REGISTERED"
  /** The handle was released. */
  | "ADAPTER_GONE"
  /** The simulated interrupt request level is wrong for the call. */
  | "WRONG_IRQL"
  /** A legal call in an illegal place, for example a free inside MiniportShutdownEx. */
  | "WRONG_CONTEXT"
  /** The address was the start of a live block once and is not now. */
  | "ALREADY_FREED"
  /** The address lies in the arena and was never handed out as the start of a block. */
  | "NEVER_ALLOCATED"
  /** The address lies inside a live block and is not its start. */
  | "INTERIOR_ADDRESS"
  /** The address lies outside every zone and mapping of this instance. */
  | "FOREIGN_ADDRESS"
  /** The block belongs to somebody else: another adapter, or (core) another tag. */
  | "WRONG_OWNER"
  /** The address is right, the length is not that of the allocation. */
  | "LENGTH_MISMATCH"
  /** The address is right, the physical address is not that of the allocation. */
  | "PHYSICAL_MISMATCH"
  /** The address is right, the cached flag is not that of the allocation. */
  | "CACHED_MISMATCH"
  /** Bytes behind the block were written. */
  | "OVERRUN"
  /** Bytes before the block were written. */
  | "UNDERRUN"
  /** Freed bytes changed before they were handed out again. */
  | "WRITE_AFTER_FREE"
  /** No mapping, a range that leaves its block, or a direction that is not allowed. */
  | "TRANSLATION_FAULT"
  /** Live blocks when the adapter goes away. */
  | "LEAK_AT_RELEASE"
  /** Requests pending when the adapter goes away. */
  | "PENDING_AT_RELEASE"
  /** A call that is not allowed from inside the current callback. */
  | "REENTRANT_CALL"
  /** The arena is a view older than the last growth of its memory, or a buffer that was transferred away. */
  | "STALE_VIEW"
  /** A handle of another kind. */
  | "WRONG_HANDLE"
  /** The core was disposed. */
  | "DISPOSED"
  /** Bytes were asked of an address-only core (`arena: null`). */
  | "NO_ARENA"
  /** The WebAssembly core could not be compiled or instantiated here; `cause` is the engine's error. */
  | "NO_WASM"
  /** An internal invariant is broken; the instance is poisoned. */
  | "STATE_CORRUPT"
  /** A hostile or damaged recording of allocations. */
  | "BAD_TRACE"
  /** A hostile or damaged snapshot. */
  | "BAD_SNAPSHOT"
  /** A hostile or damaged packet capture; `value` is the byte offset. */
  | "BAD_CAPTURE"
  /** A database without campaign tables or of another layout; a campaign, bundle or driver that is not there or differs. */
  | "BAD_CAMPAIGN"
  /** A campaign or job of another version of this package; `value` is that version. */
  | "FOREIGN_VERSION"
  /** An optional package that the call needs is not installed; `value` is its name. */
  | "MISSING_PEER"
  /** A driver in C read or wrote an address that it may not touch, its own stack's end included. */
  | "BAD_ACCESS"
  /** A call into a driver in C that never ends. */
  | "ENDLESS_LOOP"
  /** A driver in C divided by zero, called what is no function, or stopped itself. */
  | "TRAP";

/** What an error says beside its code and message. Each field is there only where it means something. */
export interface ErrorDetails {
  /** The offending value, as it was given. */
  readonly value?: unknown;
  /** The unit of `value`: `"bytes"`, `"address"`, `"offset"`, `"IRQL"`, `"handle"`, ... */
  readonly unit?: string;
  /** Which argument or option was wrong, for example `zones[1].base`. */
  readonly field?: string;
  /** Every field that did not match, in a fixed order, when several were wrong at once. */
  readonly mismatches?: readonly Mismatch[];
  /** The index of the offending entry of a batch. */
  readonly index?: number;
  /** What is known of the address, where there is one: see `Core.explain`. */
  readonly explain?: unknown;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** One field of a free that differs from the allocation. */
export interface Mismatch {
  /** The name of the argument, for example `lengthBytes`. */
  readonly field: string;
  /** What the caller gave. */
  readonly given: unknown;
  /** What the allocation was made with. */
  readonly expected: unknown;
  /** The unit of both: `"bytes"`, `"tag"`, `"address"`, ... */
  readonly unit: string;
}

/** A refusal. See `ErrorCode` for the codes and `ErrorDetails` for what it carries. */
export class ShmemError extends Error {
  /** Always `"ShmemError"`. */
  override readonly name: string = "ShmemError";
  /** Which refusal it is. Stable between versions. */
  readonly code: ErrorCode;
  /** The offending value, as it was given; `undefined` where the refusal concerns none. */
  readonly value: unknown;
  /** The unit of `value`. */
  readonly unit: string | undefined;
  /** Which argument or option was wrong. */
  readonly field: string | undefined;
  /** Every field that differs from the allocation, where a free differs from it. */
  readonly mismatches: readonly Mismatch[] | undefined;
  /** The index of the offending entry, where a batch was refused. */
  readonly index: number | undefined;
  /** What is known of the address, where there is one: an `Explanation`. */
  readonly explain: unknown;

  /** `message` is for people; the error's own message begins with the code. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(`${code}: ${message}`, "cause" in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.value = details.value;
    this.unit = details.unit;
    this.field = details.field;
    this.mismatches = details.mismatches;
    this.index = details.index;
    this.explain = details.explain;
  }
}
