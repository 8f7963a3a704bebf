/** Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request. */
import type { ReportedSearch } from "./location.js";

/** A line for each finding. */
export function githubOf({ driver, findings }: ReportedSearch): string {
  return findings
    .map(({ rule, code, message, command, file, line, column }) => {
      const place = file === null ? [] : [`file=${property(file)}`, `line=${line}`, `col=${column}`];
      const title = `title=${property(`${driver}: ${rule} (${code})`)}`;
      return `::error ${[...place, title].join(",")}::${data(`${message}\n${command}`)}\n`;
    })
    .join("");
}

function data(text: string): string {
  return text.replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A");
}

function property(text: string): string {
  return data(text).replace(/:/g, "%3A").replace(/,/g, "%2C");
}
