/** Scenarios in words: an event as one line, the setup as a line for each thing that is not plain. */
import { describeAllocationFault } from "./allocation-fault.js";
import { MEMORIES, type Scenario, type ScenarioEvent } from "./scenario.js";

const TIMES = ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"];

/** One event in words. */
export function describeEvent(event: ScenarioEvent): string {
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
    memoryPressure: `memory runs low: ${amount % 4} pages are left`,
    memoryRelief: "memory is there again",
    interrupt: "the device interrupts for no reason",
    deviceWrite: `the device writes ${1 + (detail % 16)} bytes into a block of the driver`,
  };
  return words[kind] + whom;
}

/** Setup of a scenario in words; empty where it is plain. */
export function describeSetup(scenario: Scenario): string[] {
  const lines: string[] = [];
  if (scenario.fails > 0) lines.push(describeAllocationFault(scenario.fails));
  if (scenario.memory > 0) lines.push(`the machine has ${MEMORIES[scenario.memory]}`);
  if (scenario.variant > 0) lines.push(`settings of variant ${scenario.variant}`);
  return lines;
}
