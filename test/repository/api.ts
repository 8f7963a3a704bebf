/**
 * The public interface, as users' editors see it: every entry point of package.json, every name it exports, every member
 * of what is exported, each with its signature and its text.
 *
 * Read from the declarations in dist/types with oxc-parser, because the compiler in use has no programming interface and
 * because the declarations are what ships: what is marked `@internal` is no longer in them. Two readers use this: the check
 * that every name has a text, and the generator of docs/api.
 */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { type Comment, parseSync } from "oxc-parser";

/** A property, method or accessor of an exported interface, class or object type. */
export interface ApiMember {
  readonly name: string;
  readonly signature: string;
  /** The text of its doc comment without the stars, or of the member that it implements; empty when there is none. */
  readonly text: string;
}

/** One exported name. */
export interface ApiExport {
  readonly name: string;
  readonly kind: "function" | "class" | "interface" | "type" | "const" | "namespace";
  /** The file that declares it: a path below dist/types, which is that of its source. */
  readonly file: string;
  readonly line: number;
  /** The declaration; of a class or an interface without its members. */
  readonly signature: string;
  readonly text: string;
  readonly members: readonly ApiMember[];
}

/** One way into the package. */
export interface ApiEntry {
  /** What a program imports: `ndis-shmem/core`. */
  readonly name: string;
  readonly file: string;
  /** The head of its file. */
  readonly text: string;
  /** In alphabetical order. */
  readonly exports: readonly ApiExport[];
}

/** A node of the syntax tree, as far as this file looks into it. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const TYPES = "dist/types";

/** One declaration file, parsed once. */
class Declarations {
  readonly text: string;
  readonly body: readonly Node[];
  readonly #comments: readonly Comment[];

  constructor(readonly file: string) {
    this.text = readFileSync(posix.join(TYPES, file), "utf8");
    const { program, comments, errors } = parseSync(file, this.text, { lang: "dts" });
    if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
    this.body = program.body as unknown as readonly Node[];
    this.#comments = comments;
  }

  /** The doc comment that ends right before `node`. */
  textOf(node: Node): string {
    const comment = this.#comments.findLast(({ end }) => end <= node.start);
    if (comment === undefined || comment.type !== "Block" || !comment.value.startsWith("*")) return "";
    return this.text.slice(comment.end, node.start).trim() === "" ? plain(comment.value) : "";
  }

  /** The doc comment with which the file begins. */
  head(): string {
    const [first] = this.#comments;
    return first?.type === "Block" && this.text.slice(0, first.start).trim() === "" ? plain(first.value) : "";
  }

  lineOf(node: Node): number {
    return this.text.slice(0, node.start).split("\n").length;
  }
}

/** The text of a doc comment without its stars. */
function plain(comment: string): string {
  return comment
    .replace(/^\*/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
    .join("\n")
    .trim();
}

/** The public interface; dist/types must have been built. */
export function publicInterface(): ApiEntry[] {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { name: string; exports: object };
  return new Reader().entries(manifest.name, manifest.exports);
}

class Reader {
  readonly #files = new Map<string, Declarations>();

  entries(packageName: string, exportsMap: object): ApiEntry[] {
    return Object.entries(exportsMap).flatMap(([path, conditions]) => {
      const types = typesOf(conditions);
      if (types === undefined) return [];
      const file = posix.relative(TYPES, types);
      const exports = [...this.#exportsOf(file)].sort(([left], [right]) => (left < right ? -1 : 1));
      return [
        {
          name: packageName + path.slice(1),
          file,
          text: this.#open(file).head(),
          exports: exports.map(([name, found]) => ({ ...found, name })),
        },
      ];
    });
  }

  #open(file: string): Declarations {
    const known = this.#files.get(file) ?? new Declarations(file);
    this.#files.set(file, known);
    return known;
  }

  /** Every name that a file exports, followed to its declaration. */
  #exportsOf(file: string): Map<string, ApiExport> {
    const declarations = this.#open(file);
    const found = new Map<string, ApiExport>();
    const add = (one: ApiExport): void => {
      const before = found.get(one.name);
      // Overloads, and a type beside a value of the same name: one entry, with the text of whichever has one.
      found.set(one.name, before === undefined ? one : merged(before, one));
    };
    for (const node of declarations.body) {
      if (node.type === "ExportAllDeclaration") {
        const target = this.#resolve(file, node);
        if (target === undefined) continue;
        const alias = node.exported as Node | null;
        if (alias !== null) add(this.#namespace(file, node, nameOf(alias)));
        else for (const one of this.#exportsOf(target).values()) add(one);
      } else if (node.type === "ExportNamedDeclaration") {
        const declaration = node.declaration as Node | null;
        if (declaration !== null) for (const one of this.#declared(declarations, node, declaration)) add(one);
        for (const specifier of node.specifiers as readonly Node[]) {
          const name = nameOf(specifier.exported as Node);
          const local = nameOf(specifier.local as Node);
          const source = this.#resolve(file, node);
          const one = source === undefined ? this.#local(file, local) : this.#exportsOf(source).get(local);
          if (one !== undefined) add({ ...one, name });
          else if (source !== undefined) throw new Error(`${file}: no ${local} in ${source}`);
        }
      }
    }
    return found;
  }

  #resolve(file: string, node: Node): string | undefined {
    const source = (node.source as Node | null)?.value;
    if (typeof source !== "string" || !source.startsWith(".")) return undefined;
    return posix.join(posix.dirname(file), source).replace(/\.js$/, ".d.ts");
  }

  #namespace(file: string, node: Node, name: string): ApiExport {
    const declarations = this.#open(file);
    const signature = declarations.text.slice(node.start, node.end);
    const text = declarations.textOf(node);
    return { name, kind: "namespace", file, line: declarations.lineOf(node), signature, text, members: [] };
  }

  /** What a name means in a file, declared there or imported. */
  #local(file: string, name: string): ApiExport | undefined {
    const declarations = this.#open(file);
    for (const node of declarations.body) {
      const declaration = (node.declaration as Node | null | undefined) ?? node;
      const one = this.#declared(declarations, node, declaration).find((candidate) => candidate.name === name);
      if (one !== undefined) return one;
      if (node.type !== "ImportDeclaration") continue;
      const specifier = (node.specifiers as readonly Node[]).find((each) => nameOf(each.local as Node) === name);
      const target = specifier === undefined ? undefined : this.#resolve(file, node);
      if (target === undefined) continue;
      return this.#exportsOf(target).get(nameOf((specifier?.imported ?? specifier?.local) as Node));
    }
    return undefined;
  }

  #declared(declarations: Declarations, statement: Node, declaration: Node): ApiExport[] {
    const kind = KINDS[declaration.type];
    if (kind === undefined) return [];
    const { file } = declarations;
    const line = declarations.lineOf(statement);
    const text = declarations.textOf(statement);
    const slice = (from: number, to: number): string => declarations.text.slice(from, to).trim();
    if (declaration.type === "VariableDeclaration") {
      return (declaration.declarations as readonly Node[]).map((one) => {
        const id = one.id as Node;
        const signature = `const ${slice(id.start, one.end)}`;
        return { name: nameOf(id), kind, file, line, signature, text, members: [] };
      });
    }
    const name = nameOf(declaration.id as Node);
    const body = declaration.body as Node | null | undefined;
    const hasBody = kind === "class" || kind === "interface";
    const signature = slice(declaration.start, hasBody && body ? body.start : declaration.end).replace(/^declare /, "");
    const bodies = hasBody && body ? [body] : kind === "type" ? literalsOf(declaration.typeAnnotation as Node) : [];
    const inherited = this.#inherited(file, declaration);
    const members = bodies.flatMap((one) => membersOf(declarations, one));
    const byName = new Map<string, ApiMember>();
    for (const member of members) {
      const before = byName.get(member.name);
      const own = member.text === "" ? (before?.text ?? inherited.get(member.name) ?? "") : member.text;
      byName.set(member.name, { ...member, text: own });
    }
    return [{ name, kind, file, line, signature, text, members: [...byName.values()] }];
  }

  /** The texts of the members of what a class or interface extends or implements. */
  #inherited(file: string, declaration: Node): Map<string, string> {
    const parents = [
      ...((declaration.implements as readonly Node[] | undefined) ?? []),
      ...((declaration.extends as readonly Node[] | undefined) ?? []),
    ].flatMap((clause) => {
      const expression = clause.expression as Node | undefined;
      return expression?.type === "Identifier" ? [nameOf(expression)] : [];
    });
    const texts = new Map<string, string>();
    for (const parent of parents) {
      for (const { name, text } of this.#local(file, parent)?.members ?? []) if (text !== "") texts.set(name, text);
    }
    return texts;
  }
}

const KINDS: Readonly<Record<string, ApiExport["kind"]>> = {
  FunctionDeclaration: "function",
  TSDeclareFunction: "function",
  ClassDeclaration: "class",
  TSInterfaceDeclaration: "interface",
  TSTypeAliasDeclaration: "type",
  VariableDeclaration: "const",
};

function merged(one: ApiExport, other: ApiExport): ApiExport {
  const signature = one.signature === other.signature ? one.signature : `${one.signature}\n${other.signature}`;
  return { ...one, signature, text: one.text || other.text, members: [...one.members, ...other.members] };
}

function nameOf(node: Node): string {
  return String(node.name ?? node.value);
}

/** The object types that stand directly in a type alias: `{ ... }`, and those of an intersection or a union. */
function literalsOf(annotation: Node): Node[] {
  if (annotation.type === "TSTypeLiteral") return [annotation];
  const parts = (annotation.types as readonly Node[] | undefined) ?? [];
  return ["TSIntersectionType", "TSUnionType"].includes(annotation.type) ? parts.flatMap(literalsOf) : [];
}

function membersOf(declarations: Declarations, body: Node): ApiMember[] {
  const nodes = (body.body ?? body.members) as readonly Node[];
  return nodes.flatMap((node) => {
    const key = node.key as Node | undefined;
    if (key === undefined || key.type === "PrivateIdentifier") return [];
    if (["private", "protected"].includes(String(node.accessibility))) return [];
    const signature = declarations.text.slice(node.start, node.end).replace(/;$/, "").trim();
    // The constructor of a class that is only handed out is nobody's to call: it is declared private, or is documented.
    const name = node.computed === true ? `[${declarations.text.slice(key.start, key.end)}]` : nameOf(key);
    return [{ name, signature, text: declarations.textOf(node) }];
  });
}

function typesOf(conditions: unknown): string | undefined {
  if (typeof conditions !== "object" || conditions === null) return undefined;
  const entries = Object.entries(conditions);
  const own = entries.find(([name, value]) => name === "types" && typeof value === "string");
  if (own !== undefined) return own[1] as string;
  for (const [name, value] of entries) {
    if (name === "require" || name.startsWith("types@")) continue;
    const found = typesOf(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `entry: name` and `entry: name.member` of everything without a text. A name that several entries export is told once. */
export function undocumented(entries: readonly ApiEntry[]): string[] {
  const missing = new Map<string, string>();
  for (const entry of entries) {
    if (entry.text === "") missing.set(entry.file, `${entry.file}: the head of ${entry.name}`);
    for (const one of entry.exports) {
      const at = `${one.file}:${one.line}`;
      if (one.text === "") missing.set(`${one.file} ${one.name}`, `${at}: ${one.name}`);
      for (const member of one.members) {
        if (member.text === "")
          missing.set(`${one.file} ${one.name}.${member.name}`, `${at}: ${one.name}.${member.name}`);
      }
    }
  }
  return [...missing.values()].sort();
}
