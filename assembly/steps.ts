/**
 * Steps: how long one operation is, counted in the debug build and nowhere else.
 *
 * A step is one turn of a loop. Nothing in the core takes time but straight-line code and loops, so a bound on steps is a bound on
 * time, and unlike time it can be asserted: test/core/steps.test.ts holds every operation of long random plays against
 * the bounds of docs/architecture.md. The release build has no asserts, and with them the compiler leaves this out.
 *
 * The last resort (cached blocks are spilled to free bitmaps and class trees, or every run of a zone is looked at) has a bound of its own,
 * so it says that it was entered.
 */
import { H_RESORTS, H_STEPS } from "./layout";

/** One turn of a loop. */
// @ts-ignore: decorator
@inline
export function step(): void {
  if (!ASC_NO_ASSERT) store<u32>(H_STEPS, load<u32>(H_STEPS) + 1);
}

/** The last resort begins. */
// @ts-ignore: decorator
@inline
export function resort(): void {
  if (!ASC_NO_ASSERT) store<u32>(H_RESORTS, load<u32>(H_RESORTS) + 1);
}
