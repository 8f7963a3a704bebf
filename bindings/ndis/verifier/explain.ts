/**
 * What is known of an address: the core's explanation, with what NDIS knows beside it.
 *
 * Owner and cached flag come from the block's tag, steps from the history where one is kept.
 */

import { hex, isAddress, type VirtualAddress } from "../../addresses.js";
import type { CoreApi, Explanation } from "../../core/api.js";
import { describeValue } from "../../values.js";
import type { BlockHistory } from "../records/history.js";
import type { BlockExplanation, Named, Neighbour, Neighbours, Provenance } from "../records/reporter.js";
import { adapterOfTag, cachedOfTag } from "../records/tag.js";

/** What an explanation is made from. */
export interface ExplanationSources {
  readonly core: CoreApi;
  readonly history: BlockHistory | null;
  /** By number, from 1. */
  readonly adapters: readonly Named[];
  /** What stands between driver and core (see `memory/blocks.ts`). */
  readonly blocks: {
    /** The start that the driver was given for a block that starts at `coreStart` in the core. */
    driverStart(coreStart: number): number;
    /** A sentence where the block is in a state that the core does not know. */
    specialStateOf(address: number): string | null;
  };
}

/** Explain a virtual address; anything else is `unmapped`. Never throws. */
export function explainAddress(sources: ExplanationSources, address: number): BlockExplanation {
  if (!isAddress(address)) {
    return { address, state: "unmapped", zone: -1, text: `${describeValue(address)} is no address.` };
  }
  const known = sources.core.explain(address as never);
  const start = known.block?.virtual ?? address;
  const past = sources.history?.of(sources.blocks.driverStart(start));
  const tag = known.state === "live" ? known.block?.tag : undefined;
  const owner = tag === undefined ? past?.adapter : adapterOfTag(tag);
  const name = owner === undefined ? undefined : sources.adapters[owner - 1]?.name;
  const sentences = [known.text.endsWith(".") ? known.text : `${known.text}.`];
  if (name !== undefined) {
    const verb = known.state === "live" ? "belongs to" : "last belonged to";
    sentences.push(`It ${verb} ${name}${tag === undefined ? "" : cachedOfTag(tag) ? ", cached" : ", not cached"}.`);
  }
  if (past !== undefined) {
    sentences.push(
      `Allocated ${place(past.allocatedAt)}${past.freedAt === null ? "" : `, freed ${place(past.freedAt)}`}.`,
    );
  }
  const special = sources.blocks.specialStateOf(address);
  if (special !== null) sentences.push(special);
  const neighbours = known.state === "live" ? neighboursOf(sources, known.block) : undefined;
  if (neighbours !== undefined) {
    sentences.push(`Before it: ${inWords(neighbours.before)}; behind it: ${inWords(neighbours.after)}.`);
  }
  return {
    ...known,
    ...(neighbours === undefined ? {} : { neighbours }),
    ...(name === undefined ? {} : { adapter: name }),
    ...(tag === undefined ? {} : { cached: cachedOfTag(tag) }),
    ...(past === undefined ? {} : { allocatedAt: past.allocatedAt }),
    ...(past === undefined || past.freedAt === null ? {} : { freedAt: past.freedAt }),
    text: sentences.join(" "),
  };
}

/** What lies right before and right behind a contiguous block. */
function neighboursOf(sources: ExplanationSources, block: Explanation["block"]): Neighbours | undefined {
  if (block === undefined || !block.contiguous) return undefined;
  const { core } = sources;
  const frames = Math.ceil(block.lengthBytes / core.frameSize);
  const at = (address: number): Neighbour => {
    if (!isAddress(address)) return { state: "unmapped" };
    const there = core.explain(address as VirtualAddress);
    const owner = there.block?.tag === undefined ? undefined : sources.adapters[adapterOfTag(there.block.tag) - 1];
    return {
      state: there.state,
      ...(there.block === undefined ? {} : { virtual: there.block.virtual, lengthBytes: there.block.lengthBytes }),
      ...(owner === undefined ? {} : { adapter: owner.name }),
    };
  };
  return { before: at(block.virtual - 1), after: at(block.virtual + frames * core.frameSize) };
}

function inWords(neighbour: Neighbour): string {
  if (neighbour.state !== "live" || neighbour.virtual === undefined) {
    return neighbour.state === "unmapped" ? "the end of the memory" : "free memory";
  }
  const owner = neighbour.adapter === undefined ? "" : ` of ${neighbour.adapter}`;
  return `${neighbour.lengthBytes ?? 0} bytes${owner} at ${hex(neighbour.virtual)}`;
}

function place(where: Provenance): string {
  const site = where.site === undefined || where.site === "" ? "" : ` (${where.site.split("\n")[0] ?? ""})`;
  return `at step ${where.step} by ${where.call}${site}`;
}
