/**
 * The story of a life: what happened to the driver, step by step, and what the machine logged meanwhile.
 *
 *     step 2  request 0 is served
 *             step 31 at 20 µs, PASSIVE_LEVEL: serve 1 in one call
 *     ...
 *     broken  FreeOfLiveBlock (ALREADY_FREED): ...
 */

import { encodeLife, type Life, type LifeEvent, MEMORIES } from "./life.js";
import type { DriverFinding } from "./life-judge.js";
import type { LifePlayer } from "./life-player.js";

const TIMES = ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"];

/** One event in words. */
export function describeEvent(event: LifeEvent): string {
  const { kind, adapter, amount, detail } = event;
  const whom = adapter === 0 ? "" : ` (adapter ${adapter + 1})`;
  const times = 1 + (amount % 3) === 1 ? "" : ` ${1 + (amount % 3)} times`;
  const words: Record<typeof kind, string> = {
    frames: `${1 + (amount % 8)} frames of ${Math.min(60 + detail * 6, 1600)} bytes arrive`,
    serve: amount === 0 ? "the oldest request is served" : `request ${amount} (modulo those that wait) is served`,
    deliver: amount % 4 === 0 ? "a completion is delivered" : `up to ${1 + (amount % 4)} completions are delivered`,
    event: `${1 + (amount % 8)} events of the machine happen`,
    time: `${TIMES[amount % 8]} pass`,
    failQueue: `the next asynchronous request is refused${times}`,
    failService: `the next request to be served gets no memory${times}`,
    failSynchronous: `the next synchronous allocation fails${times}`,
    race: "the next request is answered before its call returns",
    pause: "pause",
    restart: "restart",
    halt: "halt",
    remove: "the device is pulled out",
    shutdown: detail % 2 === 1 ? "shutdown, for a bug check" : "shutdown, for power off",
    add: "another device is plugged in",
    squeeze: `memory runs low: ${amount % 4} pages are left`,
    relax: "memory is there again",
    interrupt: "the device interrupts for no reason",
    deviceWrite: `the device writes ${1 + (detail % 16)} bytes into a block of the driver`,
  };
  return words[kind] + whom;
}

/** Setup of a life in words; empty where it is plain. */
export function describeSetup(life: Life): string[] {
  const lines: string[] = [];
  if (life.fails >= 128) lines.push(`every allocation from number ${life.fails - 127} on fails`);
  else if (life.fails > 0) lines.push(`allocation number ${life.fails} fails`);
  if (life.memory > 0) lines.push(`the machine has ${MEMORIES[life.memory]}`);
  if (life.variant > 0) lines.push(`settings of variant ${life.variant}`);
  return lines;
}

/** Bytes as one word for a command line. */
export function lifeToHex(life: Life): string {
  return Array.from(encodeLife(life), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Play a life once more and tell it. */
export async function tellLife(
  player: LifePlayer,
  life: Life,
): Promise<{ text: string; finding: DriverFinding | null }> {
  const lines: string[] = describeSetup(life).map((line) => `setup   ${line}`);
  let told = 0;
  const { finding } = await player.play(
    life,
    {
      event(index, event, machine) {
        const title =
          index < 0
            ? "start   power-on: DriverEntry, MiniportInitializeEx, restart"
            : index < life.events.length
              ? `${`step ${index + 1}`.padEnd(8)}${describeEvent(event as LifeEvent)}`
              : "end     calm: nothing fails any more; then every adapter is halted";
        const logged = machine.log.slice(told);
        told = machine.log.length;
        if (index >= life.events.length && logged.length === 0) return;
        lines.push(title);
        const shown =
          logged.length > 14
            ? [...logged.slice(0, 6), `... ${logged.length - 12} lines ...`, ...logged.slice(-6)]
            : logged;
        for (const line of shown) lines.push(`          ${readable(line)}`);
      },
    },
    "lines",
  );
  if (finding !== null) {
    const [first, ...rest] = finding.message.split("\n");
    lines.push(
      `broken  ${finding.rule} (${finding.code})`,
      `        ${first}`,
      ...rest.map((line) => `        ${line}`),
    );
  }
  return { text: `${lines.join("\n")}\n`, finding };
}

/** `12 40000 p0 DISPATCH_LEVEL e100bex complete ...` in the order in which people ask. */
function readable(line: string): string {
  const match = /^(\d+) (\d+) p(\d+) (\S+) (\S+) (.*)$/.exec(line);
  if (match === null) return line;
  const [, step, timeNs, processor, level, who, what] = match;
  const where = `${level} on processor ${processor}`;
  return `${who === "-" ? "" : `${who}: `}${what}   [step ${step}, ${shortTime(Number(timeNs))}, ${where}]`;
}

function shortTime(ns: number): string {
  if (ns === 0) return "time 0";
  if (ns < 1e6) return `${ns / 1000} µs`;
  return ns < 1e9 ? `${ns / 1e6} ms` : `${ns / 1e9} s`;
}
