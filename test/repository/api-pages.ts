/** Pages of the API reference: one for each entry point, every exported name with its declaration, text and members. */
import type { ApiEntry, ApiExport } from "./api.js";

const KINDS: readonly (readonly [ApiExport["kind"], string])[] = [
  ["class", "Classes"],
  ["function", "Functions"],
  ["interface", "Interfaces"],
  ["type", "Types"],
  ["const", "Constants"],
  ["namespace", "Namespaces"],
];

/** The name of an entry's page: slashes become dashes, and the package itself is the index. */
function fileOf({ name }: ApiEntry): string {
  const [, ...path] = name.split("/");
  return `${path.join("-") || "index"}.md`;
}

/** One entry's page. */
export function pageOf(entry: ApiEntry): { readonly file: string; readonly text: string } {
  const sections = KINDS.flatMap(([kind, title]) => {
    const found = entry.exports.filter((one) => one.kind === kind);
    return found.length === 0 ? [] : [`## ${title}`, ...found.map(exportText)];
  });
  const parts = [`# \`${entry.name}\``, quoted(entry.text), ...sections];
  return { file: fileOf(entry), text: `${parts.filter((part) => part !== "").join("\n\n")}\n` };
}

/** The page that lists the others. */
export function indexOf(entries: readonly ApiEntry[]): string {
  const rows = entries.map((entry) => {
    const [first = ""] = entry.text.split(/\n\s*\n/);
    return `| [\`${entry.name}\`](${fileOf(entry)}) | ${entry.exports.length} | ${cell(first)} |`;
  });
  const head = "Made from the declarations of this version.";
  return `# API\n\n${head}\n\n| import | names | what |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function exportText({ name, signature, text, members }: ApiExport): string {
  const table =
    members.length === 0
      ? ""
      : `| member | |\n| --- | --- |\n${members
          .map((member) => `| \`${cell(member.signature).replaceAll("`", "'")}\` | ${cell(member.text)} |`)
          .join("\n")}`;
  const code = `\`\`\`ts\n${signature}\n\`\`\``;
  return [`### ${name}`, code, text, table].filter((part) => part !== "").join("\n\n");
}

/** A head may hold drawings, whose lines stay as they are. */
function quoted(text: string): string {
  return text === "" ? "" : `\`\`\`text\n${text}\n\`\`\``;
}

function cell(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("|", "\\|").trim();
}
