/**
 * Findings as SARIF 2.1.0, which code scanning reads.
 *
 * A result's fingerprint is its class (rule, code, call), so that a finding is known again although its scenario was shrunk
 * another way.
 */
import { findingClass } from "../player/checks.js";
import type { ReportedSearch } from "./location.js";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/** The text of a SARIF file. */
export function sarifOf(search: ReportedSearch): string {
  const { driver, seed, runs, version, findings } = search;
  const rules = [...new Set(findings.map((one) => one.rule))];
  const log = {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "ndis-shmem fuzz",
            version,
            semanticVersion: version,
            rules: rules.map((id) => ({ id, shortDescription: { text: id } })),
          },
        },
        invocations: [{ executionSuccessful: true }],
        properties: { driver, search: search.search, seed, scenarios: runs },
        results: findings.map((one) => ({
          ruleId: one.rule,
          ruleIndex: rules.indexOf(one.rule),
          level: "error",
          message: { text: `${one.message}\n\nShown again by: ${one.command}` },
          partialFingerprints: { "ndisShmemFindingClass/v1": `${driver}/${findingClass(one)}` },
          locations:
            one.file === null
              ? []
              : [
                  {
                    physicalLocation: {
                      artifactLocation: { uri: encodeURI(one.file), uriBaseId: "%SRCROOT%" },
                      region: { startLine: one.line, startColumn: one.column },
                    },
                  },
                ],
          properties: { code: one.code, call: one.call, scenario: one.scenario },
        })),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}
