/**
 * Observer: looks at a machine between two events and remembers what changed, for the report and the picture.
 *
 * The machine has no hook for "an allocation happened", and needs none: every call of a driver counts, so a look at five
 * counters tells whether anything did. The allocator is asked for its statistics only then. What comes and goes inside one
 * event (an initialize that fails and releases what it had) is not seen; the report's peak, which the core keeps, is.
 */
import type { VirtualAddress } from "../../bindings/index.js";
import type { Adapter, Machine } from "../machine/index.js";
import { type ArenaBlock, type ArenaState, HistoryRecorder, type RunHistory, SpreadRecorder } from "../report/index.js";

/** With more live blocks than this, its blocks are listed only now and then on the way to the peak, and at the halt. */
const MANY_BLOCKS = 192;

export class Observer {
  readonly #machine: Machine;
  readonly #recorder = new HistoryRecorder();
  readonly #blockKind: (lengthBytes: number) => string;
  readonly latencies: SpreadRecorder = new SpreadRecorder();
  readonly #recordsPeak: boolean;
  #adapter: Adapter | null = null;
  #seen = -1;
  #completedNull = 0;
  #refused = 0;
  #violations = 0;
  #firstFailure = true;
  #peak: ArenaState = { timeNs: 0, liveBytes: -1, freeBytes: 0, largestFreeBytes: 0, blocks: [] };

  /** `recordsPeak` false: no list of the blocks at the peak, which costs more than all else where there are many. */
  constructor(machine: Machine, blockKind: (lengthBytes: number) => string, recordsPeak: boolean) {
    this.#machine = machine;
    this.#recordsPeak = recordsPeak;
    this.#blockKind = blockKind;
    machine.environment.dispatcher.onLatency = (latencyNs) => this.latencies.add(latencyNs);
  }

  /** From now on the adapter's counters are watched. */
  watch(adapter: Adapter): void {
    this.#adapter = adapter;
  }

  /** A frame arrived at the device. */
  traffic(bytes: number): void {
    this.#recorder.traffic({ timeNs: this.#machine.nowNs, bytes });
  }

  /** A frame went no further. */
  drop(reason: string): void {
    this.#recorder.mark({ timeNs: this.#machine.nowNs, kind: "drop", label: reason });
  }

  mark(kind: "initialized" | "halt", label: string): void {
    if (kind === "halt" && this.#machine.core.stats().liveBytes > this.#peak.liveBytes) this.#listBlocks();
    this.#recorder.mark({ timeNs: this.#machine.nowNs, kind, label });
  }

  /** Take a sample if anything changed since the last one. Cheap otherwise. */
  look(): void {
    const record = this.#adapter?.record;
    const violations = this.#machine.violations.length;
    const sum = record === undefined ? 0 : record.synchronous + record.accepted + record.completed + record.freed;
    const seen = sum + (record?.refused ?? 0) + violations;
    if (seen === this.#seen) return;
    this.#seen = seen;
    const timeNs = this.#machine.nowNs;
    const { liveBytes, freeBytes, largestFreeBytes } = this.#machine.core.stats();
    this.#recorder.memory({ timeNs, liveBytes, freeBytes, largestFreeBytes, pending: record?.pending ?? 0 });
    if (this.#isWorthAList(liveBytes)) this.#listBlocks();
    if (record !== undefined) {
      if (record.completedNull > this.#completedNull) this.#failed("first completion with NULL");
      if (record.refused > this.#refused) this.#failed("first request refused");
      this.#completedNull = record.completedNull;
      this.#refused = record.refused;
    }
    for (; this.#violations < violations; this.#violations += 1) {
      const violation = this.#machine.violations[this.#violations];
      this.#recorder.mark({ timeNs, kind: "violation", label: violation?.rule ?? "" });
    }
  }

  /** The whole history. */
  finish(title: string, zones: RunHistory["zones"]): RunHistory {
    return this.#recorder.finish({ title, frameSize: this.#machine.core.frameSize, zones, peak: this.#peak });
  }

  #failed(label: string): void {
    const text = this.#firstFailure ? label : "";
    this.#recorder.mark({ timeNs: this.#machine.nowNs, kind: "allocation-failed", label: text });
    this.#firstFailure = false;
  }

  /** A new peak. Of thousands of blocks not each: a driver that grows one by one would spend its time on lists. */
  #isWorthAList(liveBytes: number): boolean {
    const more = liveBytes - this.#peak.liveBytes;
    if (more <= 0 || (this.#adapter?.liveBlocks ?? 0) <= MANY_BLOCKS) return more > 0;
    return more >= this.#machine.core.stats().totalBytes / 64;
  }

  #listBlocks(): void {
    const { liveBytes, freeBytes, largestFreeBytes } = this.#machine.core.stats();
    const blocks = this.#recordsPeak ? this.#blocks() : [];
    this.#peak = { timeNs: this.#machine.nowNs, liveBytes, freeBytes, largestFreeBytes, blocks };
  }

  #blocks(): ArenaBlock[] {
    const { environment, core } = this.#machine;
    return environment.adapters.flatMap((record) =>
      environment.blocks.liveBlocksOf(record).map((block) => ({
        physical: core.physicalOf(block.virtual as VirtualAddress),
        lengthBytes: block.lengthBytes,
        kind: this.#blockKind(block.lengthBytes),
      })),
    );
  }
}
