/** Every import of the loader is driven by C code that looks at its answer; those that end a driver, by one each. */
import * as assert from "node:assert/strict";
import { test } from "uvu";
import {
  type CDevice,
  type CDevicePort,
  type CDriver,
  type CDriverOptions,
  importNames,
  loadC,
} from "../../src/c/index.js";
import { Machine } from "../../src/machine/index.js";
import { compiled, compiledText, testC } from "./compiled.js";

/** Registers that keep what was written; the first one interrupts. */
class Echo implements CDevice {
  readonly widths: boolean = false;
  readonly registers: Uint32Array = new Uint32Array(256);
  port: CDevicePort | null = null;
  attach(port: CDevicePort): void {
    this.port = port;
  }
  readRegister(offset: number): number {
    return this.registers[offset >> 2] ?? 0;
  }
  writeRegister(offset: number, value: number): void {
    this.registers[offset >> 2] = value;
  }
  receive(): void {
    this.port?.interrupt();
  }
}

const OPTIONS: CDriverOptions = {
  device: () => new Echo(),
  pci: { vendor: 0x1234, device: 0x5678, bars: [{ bytes: 4096 }, { bytes: 256, kind: "io" }] },
  settings: () => ({ Speed: 1000, Name: "nic", NetworkAddress: "001122334455" }),
};
const WIRE = { onDrop: () => {}, interruptLatencyNs: () => 0 };

async function machineOf(driver: CDriver, policy: "throw" | "collect" = "collect"): Promise<Machine> {
  const { zones, arena } = driver.memory(256 * 1024, 2 ** 33);
  return Machine.open({ zones, arena, choices: { policy } });
}

/** Ways out: the import, and the statement that comes by it. */
const ENDINGS: Readonly<Record<string, readonly [statement: string, code: string]>> = {
  fault: ["*(volatile int *)8 = 1;", "BAD_ACCESS"],
  outOfFuel: ["for (;;) { static volatile int x; x++; }", "ENDLESS_LOOP"],
  stackOverflow: ["return Deep(1);", "BAD_ACCESS"],
  bugCheck: ["KeBugCheckEx(0xe2, 1, 2, 3, 4);", "TRAP"],
  assertFailed: ["ASSERT(o == NULL);", "TRAP"],
  stubCalled: ["NotHere(7);", "NOT_REGISTERED"],
};
const DEEP =
  "int NotHere(int);\nstatic int Deep(int n) { volatile char room[4000]; room[n & 7] = 1; return n == 0 ? 0 : Deep(n + 1) + room[3]; }";

testC("the C half calls every import, and each answers as documented", async () => {
  const seen = new Set<string>();
  const words: string[] = [];
  const driver = loadC(await compiled(["test/c/fixtures/everything.c"]), {
    ...OPTIONS,
    name: "everything",
    onImport: (name) => seen.add(name),
    debug: (text) => words.push(text),
  });
  const machine = await machineOf(driver);
  const device = (driver.device as NonNullable<typeof driver.device>)(WIRE);
  const loaded = await machine.load(driver);
  assert.equal(loaded.status, 0);
  for (let variant = 1; variant < 12; variant++) {
    const adapter = await machine
      .add(loaded, { device, settings: driver.settings(variant) })
      .catch((error: unknown) => {
        throw new Error(`${String(error)} ${words.join("\n")}`);
      });
    assert.equal(adapter.status, 0, words.join("\n"));
    device.receive(new Uint8Array(60));
    await machine.run();
    await machine.halt(adapter);
  }
  await machine.unload(loaded);
  assert.deepEqual(machine.violations.map(driver.explain), []);
  assert.deepEqual(
    words.filter((text) => text.startsWith("step")),
    [],
  );
  assert.match(words[0] ?? "", /^timers 2 dpcs 2 works 2 completed 1 /);
  assert.deepEqual(
    machine.warnings.map((one) => one.call).filter((call) => call !== "MmGetPhysicalAddress"),
    [],
  );
  const left = importNames().filter((name) => !seen.has(name) && !Object.hasOwn(ENDINGS, name));
  assert.deepEqual(left, []);
});

for (const [name, [statement, code]] of Object.entries(ENDINGS)) {
  testC(`${name}: the driver ends with ${code} at the line`, async () => {
    const seen = new Set<string>();
    const text = `#define DBG 1\n#include <ndis.h>\n${DEEP}\nNTSTATUS DriverEntry(PDRIVER_OBJECT o, PUNICODE_STRING p) {\n${statement}\nreturn 0; }\n`;
    const bytes = await compiledText({ "ending.c": text }, { stubs: ["NotHere"] });
    const driver = loadC(bytes, { onImport: (one) => seen.add(one) });
    const machine = await machineOf(driver);
    await assert.rejects(machine.load(driver));
    const [violation, ...more] = machine.violations;
    assert.ok(violation !== undefined && more.length === 0);
    assert.equal(violation.code, code);
    assert.match(
      driver.explain(violation),
      name === "stackOverflow" ? / at ending\.c:4 \(Deep/ : / at ending\.c:6 \(DriverEntry/,
    );
    assert.ok(seen.has(name));
  });
}

testC("what is imported and not here is refused by name, before anything runs", async () => {
  const text =
    '#include <ndis.h>\n__attribute__((import_module("env"), import_name("elsewhere"))) int f(void);\nNTSTATUS DriverEntry(PDRIVER_OBJECT o, PUNICODE_STRING p) { return f(); }\n';
  const bytes = await compiledText({ "foreign.c": text });
  assert.throws(() => loadC(bytes), /imports what is not here: env\.elsewhere/);
});

testC("a routine that is nowhere is told with file, line and function", async () => {
  const text =
    "#include <ndis.h>\nNTSTATUS DriverEntry(PDRIVER_OBJECT o, PUNICODE_STRING p) {\n  return NdisNoSuchRoutine(o);\n}\n";
  await assert.rejects(compiledText({ "nowhere.c": text }), /NdisNoSuchRoutine \(nowhere\.c:3, in DriverEntry\)/);
});

test("what is no compiled driver is refused", () => {
  assert.throws(() => loadC(new Uint8Array([1, 2, 3])), /no WebAssembly module/);
  const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  assert.throws(() => loadC(empty), /no driver made by ndis-shmem cc/);
});

test.run();
