/**
 * heaptrack, versions 0 to 3: what its preload library writes (raw), and what its interpreter makes of that.
 *
 * One record a line: a letter, a blank, fields. Numbers are hexadecimal without `0x`.
 *
 *     line   raw                      interpreted
 *     v      heaptrack's version, file version            (none, or `v 10200` alone: old)
 *     +      SIZE TRACE POINTER       index of an `a`     (version 0: SIZE TRACE POINTER)
 *     -      POINTER                  index of an `a`     (version 0: POINTER)
 *     a                               SIZE TRACE
 *     c      milliseconds since the start
 *
 * All other lines (strings, instructions, traces, modules, RSS, suppressions) say nothing about which block is live, and are
 * passed over. An interpreted file has no addresses: a free names only a size and a stack, so of several equal blocks that
 * are live the youngest is taken to be freed. Peak and left-over bytes do not depend on that choice; lifetimes do.
 */
import { ALLOCATE, type EventSink, FREE, RecordedEvent } from "../event.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

const PLUS = 43;
const MINUS = 45;
const LETTER_A = 97;
const LETTER_C = 99;
const LETTER_V = 118;
const LETTER_X = 120;
const LETTER_M = 109;
const NEWEST_VERSION = 3;
const NS_PER_MS = 1e6;
/** The version that alone, without a file version, already had allocation infos. */
const VERSION_1_ALONE = 0x10200;
/** Allocation infos; heaptrack writes one for each size and stack. */
const MOST_INFOS = 2 ** 24;

interface Info {
  readonly bytes: number;
  readonly trace: number;
  /** Ids of its live blocks, the youngest last. */
  readonly live: number[];
}

/** The letters of every kind of record. */
const LETTERS = "vxXIAsSitacRm+-#";

export class HeaptrackFormat implements LineFormat {
  readonly allowsEmptyLines = true;
  readonly #sink: EventSink;
  readonly #event = new RecordedEvent();
  readonly #infos: Info[] = [];
  #version = 0;
  #isRaw = false;
  #blocks = 0;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  line(cursor: Cursor): void {
    const letter = cursor.byte;
    cursor.at++;
    switch (letter) {
      case PLUS:
        this.#plus(cursor);
        return;
      case MINUS:
        this.#minus(cursor);
        return;
      case LETTER_A:
        this.#info(cursor);
        return;
      case LETTER_C:
        cursor.gap("a time");
        this.#event.timeNs = cursor.hexNumber("a time") * NS_PER_MS;
        return;
      case LETTER_V:
        this.#versions(cursor);
        return;
      case LETTER_X:
      case LETTER_M:
        this.#isRaw = true;
        return;
      default:
        if (letter !== 0 && !LETTERS.includes(String.fromCharCode(letter)))
          cursor.fail("an unknown record", cursor.start);
    }
  }

  #versions(cursor: Cursor): void {
    cursor.gap("a version");
    const program = cursor.hexNumber("a version");
    cursor.blanks();
    const at = cursor.at;
    this.#version = cursor.isAtEnd ? (program === VERSION_1_ALONE ? 1 : 0) : cursor.hexNumber("a file version");
    if (this.#version > NEWEST_VERSION) cursor.fail(`a heaptrack file of a later version than ${NEWEST_VERSION}`, at);
  }

  get #hasInfos(): boolean {
    return this.#version > 0 && !this.#isRaw;
  }

  #info(cursor: Cursor): void {
    cursor.gap("a size");
    const bytes = cursor.hexNumber("a size");
    cursor.gap("a trace");
    const trace = cursor.hexNumber("a trace");
    cursor.done();
    if (this.#infos.length === MOST_INFOS) cursor.fail("too many allocation infos", cursor.start);
    this.#infos.push({ bytes, trace, live: [] });
  }

  #infoAt(cursor: Cursor): Info {
    const at = cursor.at;
    const index = cursor.hexNumber("the index of an allocation info");
    return this.#infos[index] ?? cursor.fail("an allocation info that was not declared", at);
  }

  #plus(cursor: Cursor): void {
    const event = this.#event;
    event.line = cursor.line;
    event.kind = ALLOCATE;
    cursor.gap("an allocation");
    if (this.#hasInfos) {
      const info = this.#infoAt(cursor);
      cursor.done();
      const id = this.#blocks++;
      info.live.push(id);
      event.id.setNumber(id);
      event.bytes = info.bytes;
      event.owner = `trace ${info.trace}`;
    } else {
      event.bytes = cursor.hexNumber("a size");
      cursor.gap("a trace");
      event.owner = `trace ${cursor.hexNumber("a trace")}`;
      cursor.gap("a pointer");
      cursor.hex("a pointer");
      event.id.setHalves(cursor.high, cursor.low);
      cursor.done();
    }
    this.#sink.take(event);
  }

  #minus(cursor: Cursor): void {
    const event = this.#event;
    event.line = cursor.line;
    event.kind = FREE;
    cursor.gap("a free");
    if (this.#hasInfos) {
      const at = cursor.at;
      const id = this.#infoAt(cursor).live.pop() ?? cursor.fail("a free of which no block is live", at);
      event.id.setNumber(id);
    } else {
      cursor.hex("a pointer");
      event.id.setHalves(cursor.high, cursor.low);
      if (event.id.isNull) {
        this.#sink.ignore();
        return;
      }
    }
    cursor.done();
    this.#sink.take(event);
  }
}
