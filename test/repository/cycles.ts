/**
 * Import cycles: groups of files that import one another, type imports counted.
 *
 * A cycle of type imports costs nothing at run time, and a reader as much as any other: neither file can be understood
 * before the other. Files are the nodes, imports the edges; each strongly connected component of two or more files (or of
 * one that imports itself) is one finding, told with its shortest round trip. Imports are read by `imports.ts`.
 */
import { importsOf, resolvedImport } from "./imports.js";

/** One group of files that import one another. */
export interface Cycle {
  /** Every file of the group, in alphabetical order. */
  readonly files: readonly string[];
  /** A shortest way from the first file of the group back to itself; the first file stands at both ends. */
  readonly round: readonly string[];
}

/** The cycles among `texts` (path relative to the project, with `/`, to its text). Imports of other files are left out. */
export function cyclesOf(texts: ReadonlyMap<string, string>): Cycle[] {
  const graph = new Map<string, string[]>();
  for (const [file, text] of texts) {
    const targets = importsOf(text).flatMap(({ specifier }) =>
      specifier.startsWith(".") ? [resolvedImport(file, specifier)] : [],
    );
    graph.set(file, [...new Set(targets)].filter((target) => texts.has(target)).sort());
  }
  return components(graph)
    .filter(([first = "", ...others]) => others.length > 0 || (graph.get(first) ?? []).includes(first))
    .map((files) => ({ files, round: shortestRound(graph, files) }))
    .sort(
      (left, right) =>
        right.files.length - left.files.length || (left.round[0] ?? "").localeCompare(right.round[0] ?? ""),
    );
}

/** Strongly connected components, by Tarjan's algorithm; each sorted. */
function components(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const found: string[][] = [];
  const visit = (node: string): void => {
    const own = index.size;
    index.set(node, own);
    lowest.set(node, own);
    open.push(node);
    isOpen.add(node);
    for (const target of graph.get(node) ?? []) {
      if (!index.has(target)) visit(target);
      if (isOpen.has(target)) lowest.set(node, Math.min(lowest.get(node) ?? own, lowest.get(target) ?? own));
    }
    if (lowest.get(node) !== own) return;
    const component = open.splice(open.indexOf(node));
    for (const member of component) isOpen.delete(member);
    found.push(component.sort());
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}

/** Breadth-first inside the component, from its first file back to it. */
function shortestRound(graph: ReadonlyMap<string, readonly string[]>, files: readonly string[]): string[] {
  const start = files[0] ?? "";
  const inside = new Set(files);
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const target of graph.get(node) ?? []) {
      if (target === start) {
        const round = [start];
        for (let at = node; at !== start; at = cameFrom.get(at) ?? start) round.unshift(at);
        return [start, ...round];
      }
      if (!inside.has(target) || cameFrom.has(target)) continue;
      cameFrom.set(target, node);
      queue.push(target);
    }
  }
  return [start];
}
