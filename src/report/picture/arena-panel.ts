/**
 * The lower half of the picture: the arena at the moment when most of it was live.
 *
 * A cell is a frame of the allocator; a zone of more frames than cells gives each cell several. Within a cell the bytes
 * that were asked for are in the full colour of their kind, and what the block holds beyond that (a frame has 4,096 bytes,
 * a receive frame 1,554) in a pale one: padding is seen, not told. Addresses at the left are physical.
 */
import type { ArenaBlock, RunHistory } from "../history.js";
import { bytesText, counted, durationText, grouped, percentText } from "../units.js";
import type { Panel } from "./panel.js";
import { element, text } from "./svg.js";

const LEFT = 84;
const MOST_CELLS = 4096;

/** Colours that stay apart for most eyes (Okabe and Ito), on light and on dark. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#a08a00", "#7f7f7f"] as const;

interface Kind {
  readonly colour: string;
  blocks: number;
  bytes: number;
  frames: number;
}

export function arenaPanel(history: RunHistory, width: number): Panel {
  const { peak, frameSize, zones } = history;
  const kinds = kindsOf(peak.blocks, frameSize);
  const totalFrames = zones.reduce((sum, zone) => sum + zone.size / frameSize, 0);
  const liveFrames = [...kinds.values()].reduce((sum, kind) => sum + kind.frames, 0);
  const framesPerCell = 2 ** Math.max(0, Math.ceil(Math.log2(totalFrames / MOST_CELLS)));
  const cells = totalFrames / framesPerCell;
  const columns = cells <= 192 ? 32 : cells <= 1024 ? 64 : 128;
  const cell = Math.floor((width - LEFT) / columns);
  const rowHeight = Math.min(cell, 20);
  const parts = [
    text(0, 14, `The arena when it was fullest, at ${peak.timeNs === 0 ? "the start" : durationText(peak.timeNs)}`, {
      class: "head ink",
    }),
    text(
      width,
      14,
      `${grouped(liveFrames)} of ${counted(totalFrames, "frame")} live (${percentText(liveFrames, totalFrames)}), ` +
        `largest free block ${bytesText(peak.largestFreeBytes)} of ${bytesText(peak.freeBytes)} free`,
      { class: "soft small", "text-anchor": "end" },
    ),
  ];
  let top = 28;
  for (const zone of zones) {
    const blocks = peak.blocks.filter((block) => block.physical >= zone.base && block.physical < zone.base + zone.size);
    const drawn = zoneCells(zone, blocks, kinds, { frameSize, framesPerCell, columns, cell, rowHeight, top });
    parts.push(drawn.svg);
    top += drawn.height + 8;
  }
  const legend = legendOf(kinds, framesPerCell, frameSize, width, top + 8);
  parts.push(legend.svg);
  return { svg: parts.join(""), height: top + 8 + legend.height };
}

function kindsOf(blocks: readonly ArenaBlock[], frameSize: number): Map<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const block of [...blocks].sort((left, right) => left.physical - right.physical)) {
    const kind = kinds.get(block.kind) ?? {
      colour: COLOURS[kinds.size % COLOURS.length] as string,
      blocks: 0,
      bytes: 0,
      frames: 0,
    };
    kind.blocks += 1;
    kind.bytes += block.lengthBytes;
    kind.frames += Math.ceil(block.lengthBytes / frameSize);
    kinds.set(block.kind, kind);
  }
  return kinds;
}

interface Grid {
  readonly frameSize: number;
  readonly framesPerCell: number;
  readonly columns: number;
  readonly cell: number;
  readonly rowHeight: number;
  readonly top: number;
}

function zoneCells(
  zone: { readonly base: number; readonly size: number },
  blocks: readonly ArenaBlock[],
  kinds: ReadonlyMap<string, Kind>,
  grid: Grid,
): Panel {
  const { frameSize, framesPerCell, columns, cell, rowHeight, top } = grid;
  const cellBytes = framesPerCell * frameSize;
  const count = Math.ceil(zone.size / cellBytes);
  const rows = Math.ceil(count / columns);
  const side = cell - 1;
  const tall = rowHeight - 1;
  const parts: string[] = [];
  // Rows without a live block say little: from the third in succession on they are folded into one.
  const lively = new Set<number>();
  for (const block of blocks) {
    const start = block.physical - zone.base;
    const rowBytes = columns * cellBytes;
    for (let row = Math.floor(start / rowBytes); row * rowBytes < start + block.lengthBytes; row += 1) lively.add(row);
  }
  const places: number[] = [];
  const labelEvery = Math.max(1, Math.ceil(14 / rowHeight));
  let y = top;
  let labelled = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < rows; row += 1) {
    let folded = row;
    while (folded < rows && !lively.has(folded)) folded += 1;
    places[row] = y;
    const address = `0x${(zone.base + row * columns * cellBytes).toString(16)}`;
    if (folded - row >= 3) {
      const free = zone.size - row * columns * cellBytes - Math.max(0, zone.size - folded * columns * cellBytes);
      parts.push(
        element("rect", { class: "free", x: LEFT, y, width: columns * cell - 1, height: 17, "stroke-width": 0.5 }),
        text(LEFT - 8, y + 13, address, { class: "soft small", "text-anchor": "end" }),
        text(LEFT + 8, y + 13, `${bytesText(free)} free, ${grouped(folded - row)} rows folded`, {
          class: "soft small",
        }),
      );
      y += 18;
      labelled = row;
      row = folded - 1;
      continue;
    }
    const cellsHere = Math.min(columns, count - row * columns);
    let path = "";
    for (let column = 0; column < cellsHere; column += 1)
      path += `M${LEFT + column * cell} ${y}h${side}v${tall}h-${side}z`;
    parts.push(element("path", { class: "free", d: path, "stroke-width": 0.5 }));
    if (row - labelled >= labelEvery) {
      parts.push(
        text(LEFT - 8, y + Math.min(rowHeight, 16) - 3, address, { class: "soft small", "text-anchor": "end" }),
      );
      labelled = row;
    }
    y += rowHeight;
  }
  const at = (index: number): readonly [number, number] => [
    LEFT + (index % columns) * cell,
    places[Math.floor(index / columns)] ?? top,
  ];
  // Per kind one path of pale cells and one of full ones: a picture of four thousand cells stays small.
  const pale = new Map<string, string>();
  const full = new Map<string, string>();
  for (const block of blocks) {
    const start = block.physical - zone.base;
    const held = Math.ceil(block.lengthBytes / frameSize) * frameSize;
    pale.set(block.kind, (pale.get(block.kind) ?? "") + strips(start, held, cellBytes, side, tall, at));
    full.set(block.kind, (full.get(block.kind) ?? "") + strips(start, block.lengthBytes, cellBytes, side, tall, at));
  }
  for (const [name, kind] of kinds) {
    const all = pale.get(name);
    if (all === undefined) continue;
    parts.push(
      element("path", { d: all, fill: kind.colour, "fill-opacity": 0.32 }),
      element("path", { d: full.get(name) ?? "", fill: kind.colour }),
    );
  }
  return { svg: parts.join(""), height: y - top };
}

/** The parts of cells that bytes `[start, start + length)` of the zone cover, as rectangles of a path. */
function strips(
  start: number,
  length: number,
  cellBytes: number,
  side: number,
  tall: number,
  at: (index: number) => readonly [number, number],
): string {
  let path = "";
  const end = start + length;
  for (let index = Math.floor(start / cellBytes); index * cellBytes < end; index += 1) {
    const [x, y] = at(index);
    const from = Math.max(start, index * cellBytes) - index * cellBytes;
    const to = Math.min(end, (index + 1) * cellBytes) - index * cellBytes;
    const left = tenth(x + (side * from) / cellBytes);
    path += `M${left} ${y}h${tenth((side * (to - from)) / cellBytes)}v${tall}H${left}z`;
  }
  return path;
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

function legendOf(
  kinds: ReadonlyMap<string, Kind>,
  framesPerCell: number,
  frameSize: number,
  width: number,
  top: number,
): Panel {
  const parts: string[] = [];
  const half = width / 2;
  let index = 0;
  for (const [name, kind] of kinds) {
    const x = (index % 2) * half;
    const y = top + Math.floor(index / 2) * 20;
    const frames = counted(kind.frames, "frame");
    parts.push(
      element("rect", { x, y, width: 12, height: 12, fill: kind.colour }),
      text(x + 20, y + 10, `${name}: ${counted(kind.blocks, "block")}, ${grouped(kind.bytes)} bytes in ${frames}`, {
        class: "ink small",
      }),
    );
    index += 1;
  }
  const y = top + Math.ceil(index / 2) * 20;
  const size = framesPerCell === 1 ? "one frame" : counted(framesPerCell, "frame");
  parts.push(
    element("rect", { class: "free", x: 0, y, width: 12, height: 12, "stroke-width": 0.5 }),
    text(
      20,
      y + 10,
      `free. A cell is ${size} of ${grouped(frameSize)} bytes; full colour is what was asked for, pale the padding behind it.`,
      { class: "ink small" },
    ),
  );
  return { svg: parts.join(""), height: y + 16 - top };
}
