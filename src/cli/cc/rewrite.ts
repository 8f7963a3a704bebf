/**
 * LLVM's text of one C file, rewritten so that each access, call and edge says where in the source it stands.
 *
 *     call void @__asan_load4(i32 %2), !dbg !82        ->   call void @nshm_load4(i32 %2, i32 17), !dbg !82
 *     call void @__sanitizer_cov_trace_pc_guard(...)   ->   call void @nshm_edge(i32 5, i32 16)
 *     call void @NdisMFreeSharedMemory(...)            ->   store i32 18, ptr @nshm_site  and the call as it was
 *     define ... {   ret ...                           ->   call void @nshm_enter(i32 3)  and  call void @nshm_exit()
 *
 * Number 17 is a row of the table of sites: file, line and function, with the callers that were inlined around it. The
 * table comes from the debug information of the same text, so it is right whatever later passes do to the code; Asyncify,
 * for one, loses every line of DWARF. Tried beside it: `-finstrument-functions` (refused for plain wasm32, and it knows
 * neither lines nor accesses), macros with __FILE__ around each routine (no accesses, and nothing for a call through a
 * pointer). This way costs one more argument for an access and one store for a call.
 */

/** One place: function, file and line, as indices into the table's lists. */
export type Place = readonly [functionIndex: number, fileIndex: number, line: number];

/** What the sites of a module stand for. Written as JSON into the custom section `nshm.sites`. */
export interface SiteTable {
  readonly files: string[];
  readonly functions: string[];
  /** Innermost place first; the others are the callers that it was inlined into. Site 0 is nowhere. */
  readonly sites: (readonly Place[])[];
  /** Functions that `nshm_enter` names: index into `functions`. */
  readonly entered: number[];
  /** Where each edge is. */
  readonly edges: Place[];
}

export function emptyTable(): SiteTable {
  return { files: [], functions: [], sites: [[]], entered: [], edges: [] };
}

interface Location {
  readonly line: number;
  readonly scope: number;
  readonly inlinedAt: number;
}

/** Debug information of one text, as far as places need it. */
class DebugInfo {
  readonly #lines: Map<number, string> = new Map();
  readonly #table: SiteTable;
  readonly #sites: Map<string, number> = new Map();

  constructor(text: string, table: SiteTable) {
    this.#table = table;
    for (const match of text.matchAll(/^!(\d+) = (?:distinct )?!(DI\w+\(.*)$/gm)) {
      this.#lines.set(Number(match[1]), match[2] as string);
    }
    for (const [index, places] of table.sites.entries()) this.#sites.set(JSON.stringify(places), index);
  }

  #field(number: number, name: string): string | undefined {
    const text = this.#lines.get(number) ?? "";
    return new RegExp(`[(, ]${name}: (?:!(\\d+)|"((?:[^"\\\\]|\\\\.)*)"|(\\d+))`)
      .exec(text)
      ?.slice(1)
      .find((x) => x !== undefined);
  }

  #location(number: number): Location | undefined {
    if (!this.#lines.get(number)?.startsWith("DILocation(")) return undefined;
    return {
      line: Number(this.#field(number, "line") ?? 0),
      scope: Number(this.#field(number, "scope") ?? 0),
      inlinedAt: Number(this.#field(number, "inlinedAt") ?? 0),
    };
  }

  /** Function and file of a scope. */
  #scope(number: number): { functionName: string; file: string } {
    let file = "";
    for (let at = number, steps = 0; steps < 100; steps++) {
      const text = this.#lines.get(at) ?? "";
      if (file === "") {
        const fileNumber = Number(this.#field(at, "file") ?? 0);
        file = this.#field(fileNumber, "filename") ?? "";
      }
      if (text.startsWith("DISubprogram(")) return { functionName: this.#field(at, "name") ?? "?", file };
      const up = this.#field(at, "scope");
      if (up === undefined) break;
      at = Number(up);
    }
    return { functionName: "?", file };
  }

  /** The places of a `!dbg` number, innermost first; undefined where it has no line. */
  places(number: number): readonly Place[] | undefined {
    const places: Place[] = [];
    let at = number;
    for (let steps = 0; steps < 64; steps++) {
      const location = this.#location(at);
      if (location === undefined) break;
      const { functionName, file } = this.#scope(location.scope);
      if (location.line === 0 && places.length === 0) return undefined;
      places.push([
        indexOf(this.#table.functions, functionName),
        indexOf(this.#table.files, shortPath(file)),
        location.line,
      ]);
      if (location.inlinedAt === 0) break;
      at = location.inlinedAt;
    }
    return places.length === 0 ? undefined : places;
  }

  /** Where a function begins. */
  functionPlace(subprogram: number): readonly Place[] {
    const line = Number(this.#field(subprogram, "line") ?? 0);
    const { functionName, file } = this.#scope(subprogram);
    return [[indexOf(this.#table.functions, functionName), indexOf(this.#table.files, shortPath(file)), line]];
  }

  site(places: readonly Place[]): number {
    const key = JSON.stringify(places);
    const known = this.#sites.get(key);
    if (known !== undefined) return known;
    this.#table.sites.push(places);
    this.#sites.set(key, this.#table.sites.length - 1);
    return this.#table.sites.length - 1;
  }
}

function indexOf(list: string[], value: string): number {
  const at = list.indexOf(value);
  if (at >= 0) return at;
  list.push(value);
  return list.length - 1;
}

/** The last two parts at most: findings are for people who know their own tree. */
function shortPath(path: string): string {
  const parts = path.replaceAll("\\\\", "/").replaceAll("\\", "/").split("/");
  return (parts.at(-1) as string) || path;
}

/** What a rewritten text calls, and who called what that this package may not have. */
export interface Rewritten {
  readonly text: string;
  /** First place from where each function outside of the text is called. */
  readonly calls: ReadonlyMap<string, Place>;
  /** `declare` lines, by name: to make stubs. */
  readonly declares: ReadonlyMap<string, string>;
}

const ACCESS = /^(\s*)(?:tail )?call void @__asan_(load|store)(\d+|N)(?:_noabort)?\(i32 ([^,)]+)(?:, i32 ([^)]+))?\)/;
const EDGE = /^(\s*)(?:tail )?call void @__sanitizer_cov_trace_pc_guard\(.*?\)(?: #\d+)?(?:, !dbg !(\d+))?$/;
const CALL = /^\s*(?:%[-\w.$]+ = )?(?:(?:tail|notail|musttail) )?call .*?\s([@%](?:"[^"]+"|[-\w.$]+))\(/;
const RETURN = /^\s*ret /;
const DEFINE = /^define .*?@("?[-\w.$]+"?)\(.*\{$/;

/** Rewrite one text. `table` grows. `opaque`: pointers are written `ptr` (clang 15 and later). */
export function rewrite(text: string, table: SiteTable, opaque: boolean): Rewritten {
  const debug = new DebugInfo(text, table);
  const calls = new Map<string, Place>();
  const declares = new Map<string, string>();
  const out: string[] = [];
  const siteType = opaque ? "ptr" : "i32*";
  let inside = false;
  let instrumented = false;
  let here: readonly Place[] = [];
  let opened = false;
  const sourceOf = (line: string): readonly Place[] => {
    const number = /!dbg !(\d+)/.exec(line)?.[1];
    const places = number === undefined ? undefined : debug.places(Number(number));
    if (places !== undefined) here = places;
    return here;
  };
  for (const line of text.split("\n")) {
    if (!inside) {
      const define = DEFINE.exec(line);
      if (define !== null) {
        inside = true;
        const subprogram = /!dbg !(\d+)/.exec(line)?.[1];
        instrumented = subprogram !== undefined;
        here = subprogram === undefined ? [] : debug.functionPlace(Number(subprogram));
        opened = false;
        out.push(line);
        continue;
      }
      const declare = /^declare .*?@("?[-\w.$]+"?)\(/.exec(line);
      if (declare !== null) {
        const name = (declare[1] as string).replaceAll('"', "");
        declares.set(name, line);
        if (
          name.startsWith("__asan_load") ||
          name.startsWith("__asan_store") ||
          name === "__sanitizer_cov_trace_pc_guard"
        )
          continue;
      }
      out.push(line);
      continue;
    }
    if (line === "}") {
      inside = false;
      out.push(line);
      continue;
    }
    if (instrumented && !opened) {
      opened = true;
      const label = /^[-\w.$"]+:/.test(line);
      const [place] = here;
      table.entered.push((place as Place)[0]);
      const enter = `  call void @nshm_enter(i32 ${table.entered.length - 1})`;
      if (label) {
        out.push(line, enter);
        continue;
      }
      out.push(enter);
    }
    const access = ACCESS.exec(line);
    if (access !== null) {
      const [, space, kind, size, address, length] = access;
      const site = debug.site(sourceOf(line));
      const more = length === undefined ? "" : `, i32 ${length}`;
      out.push(`${space}call void @nshm_${kind}${size}(i32 ${address}${more}, i32 ${site})`);
      continue;
    }
    const edge = EDGE.exec(line);
    if (edge !== null) {
      const places = sourceOf(line);
      table.edges.push(places[0] ?? [0, 0, 0]);
      out.push(`${edge[1]}call void @nshm_edge(i32 ${table.edges.length - 1}, i32 ${debug.site(places)})`);
      continue;
    }
    if (instrumented) {
      const call = CALL.exec(line);
      if (call !== null) {
        const callee = (call[1] as string).replaceAll('"', "");
        if (
          !callee.startsWith("@llvm.") &&
          !callee.startsWith("@__asan") &&
          !callee.startsWith("@nshm_") &&
          !/call [^@%(]*asm /.test(line)
        ) {
          const places = sourceOf(line);
          if (callee.startsWith("@") && places[0] !== undefined && !calls.has(callee.slice(1)))
            calls.set(callee.slice(1), places[0]);
          out.push(`  store i32 ${debug.site(places)}, ${siteType} @nshm_site, align 4`);
        }
      } else if (RETURN.test(line)) {
        out.push("  call void @nshm_exit()");
      } else sourceOf(line);
    }
    out.push(line);
  }
  const sizes = ["1", "2", "4", "8", "16"];
  out.push("@nshm_site = external global i32, align 4");
  for (const kind of ["load", "store"]) {
    for (const size of sizes) out.push(`declare void @nshm_${kind}${size}(i32, i32)`);
    out.push(`declare void @nshm_${kind}N(i32, i32, i32)`);
  }
  out.push("declare void @nshm_edge(i32, i32)", "declare void @nshm_enter(i32)", "declare void @nshm_exit()", "");
  return { text: out.join("\n"), calls, declares };
}
