/**
 * A test file that repeats a finding by itself, for uvu or for node:test.
 *
 * The scenario stands in it event by event, so that the test says what it does, and goes on saying it when the generator of
 * scenarios has changed.
 */

import type { DriverFinding } from "../player/checks.js";
import { describeEvent, describeSetup } from "../scenario/describe.js";
import type { Scenario } from "../scenario/scenario.js";

export type TestFramework = "uvu" | "node:test";

/** The text of a test of `driverModule` (a specifier, as the test will import it). */
export function testSource(
  scenario: Scenario,
  finding: DriverFinding,
  driverModule: string,
  framework: TestFramework,
  seedLine: string,
): string {
  const events = scenario.events.map(
    (event) =>
      `    ${JSON.stringify(event)
        .replace(/"(\w+)":/g, "$1: ")
        .replace(/,/g, ", ")
        .replace(/^\{/, "{ ")
        .replace(/\}$/, " }")}, // ${describeEvent(event)}`,
  );
  const name = `${finding.rule} holds`;
  const imports =
    framework === "uvu"
      ? ['import { test } from "uvu";', 'import * as assert from "uvu/assert";']
      : ['import assert from "node:assert/strict";', 'import { test } from "node:test";'];
  return [
    `// Found by: ${seedLine}`,
    ...describeSetup(scenario).map((line) => `// ${line}`),
    ...finding.message.split("\n").map((line) => `// ${line}`),
    ...imports,
    'import { driverOf, replayScenario } from "ndis-shmem/fuzz";',
    `import * as subject from ${JSON.stringify(driverModule)};`,
    "",
    "const scenario = {",
    `  fails: ${scenario.fails},`,
    `  memory: ${scenario.memory},`,
    `  variant: ${scenario.variant},`,
    "  events: [",
    ...events,
    "  ],",
    "};",
    "",
    `test(${JSON.stringify(name)}, async () => {`,
    "  const { driver, check } = driverOf(subject);",
    "  const { finding } = await replayScenario(driver, scenario, { check });",
    "  assert.ok(finding === null, finding?.message);",
    "});",
    ...(framework === "uvu" ? ["", "test.run();"] : []),
    "",
  ].join("\n");
}
