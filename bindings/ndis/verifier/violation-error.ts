/** The error that a violation is raised as, under the policies `throw` and `break` (choice C31). */
import { ShmemError } from "../../errors.js";
import type { BugCheck, Violation } from "../records/reporter.js";
import { describeViolation } from "./wording.js";

/** Thrown for a violation under the policies `throw` and `break`. */
export class ViolationError extends ShmemError {
  /** `ViolationError`. */
  override readonly name: string = "ViolationError";
  /** What was violated, in full. */
  readonly violation: Violation;
  /** What Windows would stop with, where there is such a thing. */
  readonly bugCheck: BugCheck | undefined;

  /** An error for a recorded violation; its message is `describeViolation`. */
  constructor(violation: Violation) {
    super(violation.code, describeViolation(violation), {
      value: violation.value,
      ...(violation.unit === undefined ? {} : { unit: violation.unit }),
      ...(violation.field === undefined ? {} : { field: violation.field }),
      ...(violation.mismatches === undefined ? {} : { mismatches: violation.mismatches }),
      ...(violation.explain === undefined ? {} : { explain: violation.explain }),
    });
    this.violation = violation;
    this.bugCheck = violation.bugCheck;
  }
}
