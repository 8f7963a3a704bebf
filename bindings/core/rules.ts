/**
 * The names of what `verify` can find. The head of assembly/verify.ts says what each rule demands; a rule keeps its name
 * when the structures behind it change.
 */

import { hex } from "../addresses.js";
import { Layout as L } from "../generated/layout.js";
import type { BrokenRule } from "./api.js";
import type { CoreState } from "./state.js";

const RULES: Record<number, readonly [name: string, sentence: string]> = {
  [L.RULE_GEOMETRY]: ["geometry", "what opening wrote has changed"],
  [L.RULE_PARTITION]: ["partition", "a frame is both free and live, or neither"],
  [L.RULE_COUNTS]: ["counts", "the counts of frames are wrong"],
  [L.RULE_BITMAPS]: ["bitmaps", "a wholly free group is not kept as a run"],
  [L.RULE_CLASSES]: ["classes", "a split group or a run is not in the tree of its class"],
  [L.RULE_RUNS]: ["runs", "a run of free groups leaves its zone or meets another"],
  [L.RULE_MERGING]: ["merging", "two runs of free groups touch and are not one"],
  [L.RULE_TREES]: ["trees", "a tree's levels or members are wrong"],
  [L.RULE_BLOCKS]: ["blocks", "a live block leaves its zone, is misaligned, or overlaps another"],
  [L.RULE_LENGTHS]: ["lengths", "a length stands in the array of another size"],
  [L.RULE_TAGS]: ["tags", "a frame where no block starts has a tag"],
  [L.RULE_MAPPINGS]: ["mappings", "mappings overlap, meet a window, or do not add up"],
  [L.RULE_INDEX]: ["index", "the mappings by physical and by virtual address differ"],
  [L.RULE_HEADS]: ["heads", "a start of a block has no head, or a head no block"],
  [L.RULE_CACHE]: ["cache", "a cached block and its sentinel do not match"],
  [L.RULE_PIECES]: ["pieces", "a piece and its sentinel do not match"],
};

/** What `verify` says when the walk itself left the memory. */
export const UNREADABLE: BrokenRule = {
  rule: "unreadable",
  frame: -1,
  message: "the walk left the memory",
};

/** The first findings of the walk that has just ended. */
export function findings(state: CoreState, count: number): BrokenRule[] {
  const { views } = state;
  return Array.from({ length: Math.min(count, L.REPORT_CAPACITY) }, (_, i) => {
    const at = L.REPORT + i * 8;
    return findingOf(state, views.word(at), views.word(at + 4));
  });
}

function findingOf(state: CoreState, rule: number, frame: number): BrokenRule {
  const [name, sentence] = RULES[rule] ?? ["unreadable", "the report itself is damaged"];
  const zone = state.zoneOf(frame);
  if (zone === undefined) return { rule: name, frame: -1, message: sentence };
  const ahead = frame - zone.first;
  const where = `frame at physical ${hex(zone.base + ahead * state.frameSize)}`;
  return { rule: name, frame: zone.dense + ahead, message: `${sentence} (${where})` };
}
