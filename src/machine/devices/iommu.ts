/**
 * An IOMMU: the device's addresses are not the host's.
 *
 * Each block gets logical pages of its own, below 4 GiB and never equal to physical ones, so a driver that hands its
 * device anything but the address it was given is found. Pages carry a direction: a scatter/gather list for transmission
 * may be read by the device and not written. Granularity is the page, as in life: what shares a page is reachable too.
 */
import { hex, type LogicalMap, ShmemError } from "../../../bindings/index.js";

const PAGE = 4096;
/** Logical pages come from 2 GiB to 4 GiB, round and round. */
const FIRST_PAGE = 2 ** 31 / PAGE;
const LAST_PAGE = 2 ** 32 / PAGE - 1;

type Direction = "read" | "write" | "both";

interface MappedPage {
  readonly physicalPage: number;
  readonly adapter: number;
  readonly direction: Direction;
}

interface Mapping {
  readonly firstPage: number;
  readonly pages: number;
  /** Set for blocks, which are looked up by where they lie. */
  readonly physical: number;
}

/** What a device reaches at a logical address: physical bytes, or why not. */
export type Reach =
  | { readonly physical: number; readonly lengthBytes: number }
  | { readonly reason: "unmapped" | "direction" | "another device" };

export class Iommu implements LogicalMap {
  readonly #pages: Map<number, MappedPage> = new Map();
  readonly #mappings: Map<number, Mapping> = new Map();
  readonly #blocks: Map<number, number> = new Map();
  #next = FIRST_PAGE;

  /** Mappings that live. */
  get size(): number {
    return this.#mappings.size;
  }

  map(adapter: number, physical: number, lengthBytes: number, direction: Direction): number {
    const offset = physical % PAGE;
    const pages = Math.ceil((offset + lengthBytes) / PAGE);
    const firstPage = this.#find(pages);
    const physicalPage = (physical - offset) / PAGE;
    for (let i = 0; i < pages; i++)
      this.#pages.set(firstPage + i, { physicalPage: physicalPage + i, adapter, direction });
    const logical = firstPage * PAGE + offset;
    this.#mappings.set(logical, { firstPage, pages, physical: direction === "both" ? physical : -1 });
    if (direction === "both") this.#blocks.set(physical, logical);
    return logical;
  }

  unmap(logical: number): void {
    const mapping = this.#mappings.get(logical);
    if (mapping === undefined) {
      throw new ShmemError("STATE_CORRUPT", `nothing is mapped at logical ${hex(logical)}`, {
        value: logical,
        unit: "address",
      });
    }
    for (let i = 0; i < mapping.pages; i++) this.#pages.delete(mapping.firstPage + i);
    this.#mappings.delete(logical);
    if (mapping.physical >= 0) this.#blocks.delete(mapping.physical);
  }

  logicalOf(physical: number): number {
    return this.#blocks.get(physical) ?? 0;
  }

  /** What the adapter's device reaches at a logical address. */
  reach(adapter: number, logical: number, write: boolean): Reach {
    const offset = logical % PAGE;
    const page = this.#pages.get((logical - offset) / PAGE);
    if (page === undefined) return { reason: "unmapped" };
    if (page.adapter !== adapter) return { reason: "another device" };
    if (page.direction !== "both" && (page.direction === "write") !== write) return { reason: "direction" };
    return { physical: page.physicalPage * PAGE + offset, lengthBytes: PAGE - offset };
  }

  /** `pages` free logical pages in a row. */
  #find(pages: number): number {
    let tried = 0;
    let start = this.#next;
    for (;;) {
      if (start + pages - 1 > LAST_PAGE) {
        tried += LAST_PAGE + 1 - start;
        start = FIRST_PAGE;
      }
      let run = 0;
      while (run < pages && !this.#pages.has(start + run)) run++;
      if (run === pages) {
        this.#next = start + pages;
        return start;
      }
      tried += run + 1;
      start += run + 1;
      if (tried > 2 * (LAST_PAGE - FIRST_PAGE)) {
        throw new ShmemError("INVALID_ARGUMENT", `no ${pages} free logical pages in a row below 4 GiB`, {
          value: pages,
          unit: "pages",
        });
      }
    }
  }
}
