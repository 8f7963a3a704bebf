/** Findings as JUnit XML, which continuous integration reads: a test case for the search, and a failed one for each finding. */
import type { ReportedSearch } from "./location.js";

/** The text of a JUnit file. */
export function junitOf({ driver, search, seed, runs, seconds, findings }: ReportedSearch): string {
  const suite = `ndis-shmem fuzz ${driver}`;
  const cases = findings.map(
    ({ rule, code, message, command }) =>
      `    <testcase classname="${xml(suite)}" name="${xml(`${rule} (${code})`)}" time="0">\n` +
      `      <failure type="${xml(rule)}" message="${xml(message.split("\n")[0] ?? "")}">${xml(`${message}\n\n${command}`)}</failure>\n` +
      "    </testcase>\n",
  );
  const searched = `${search} search, seed ${seed}, ${runs} scenarios`;
  const attributes = `tests="${findings.length + 1}" failures="${findings.length}" errors="0" time="${seconds}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    `<testsuites ${attributes}>\n`,
    `  <testsuite name="${xml(suite)}" ${attributes}>\n`,
    `    <testcase classname="${xml(suite)}" name="${xml(searched)}" time="${seconds}" />\n`,
    ...cases,
    "  </testsuite>\n",
    "</testsuites>\n",
  ].join("");
}

/** Text for XML 1.0: five characters escaped, those that it forbids replaced. */
function xml(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return text
    .replace(/[&<>"']/g, (character) => escapes[character] as string)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}
