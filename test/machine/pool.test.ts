/** The pool: promises and disposal over the faithful face. Catalogue B04, E18, E19, E20. */
import assert from "node:assert/strict";
import { test } from "uvu";
import { Machine, type SharedBlock, SharedMemoryPool } from "../../src/index.js";

const SMALL = { zones: [{ base: 2 ** 28, size: 2 ** 16 }] };

test("allocate, use, free, close", async () => {
  const pool = await SharedMemoryPool.open(SMALL);
  const empty = pool.machine.core.digest();
  const block = (await pool.allocate(1554)) as SharedBlock;
  assert.equal(block.lengthBytes, 1554);
  assert.equal(block.bytes.length, 1554);
  assert.equal(pool.machine.core.physicalOf(block.virtual), block.physical as number);
  block.bytes[1553] = 7;
  assert.equal(block.bytes[1553], 7);
  block.free();
  assert.equal(pool.machine.core.digest(), empty);
  assert.deepEqual(pool.machine.violations, []);
  await pool.close();
  await pool.close();
  await assert.rejects(pool.allocate(1), { code: "ADAPTER_GONE" });
});

test("`using` gives a block back, once", async () => {
  await using pool = await SharedMemoryPool.open(SMALL);
  {
    using block = await pool.allocate(4096);
    assert.equal(pool.liveBlocks, 1);
    assert.ok(block !== null);
  }
  assert.equal(pool.liveBlocks, 0);
  const early = (await pool.allocate(64)) as SharedBlock;
  early.free();
  early[Symbol.dispose]();
});

test("out of memory is null, and says why", async () => {
  const pool = await SharedMemoryPool.open(SMALL);
  assert.equal(await pool.allocate(2 ** 17), null);
  assert.equal(pool.lastFailure?.reason, "exhausted");
  assert.equal(pool.allocateNow(2 ** 17), null);
  const narrow = await SharedMemoryPool.open({ zones: [{ base: 2 ** 32, size: 2 ** 16 }], addressBits: 32 });
  assert.equal(await narrow.allocate(64), null);
  assert.equal(narrow.lastFailure?.reason, "addressing");
  await assert.rejects(pool.allocate(-1), { code: "INVALID_ARGUMENT" });
});

test("misuse B04: a second free of a handle is found although its address has a new owner of the same size", async () => {
  const pool = await SharedMemoryPool.open(SMALL);
  const first = (await pool.allocate(4096)) as SharedBlock;
  first.free();
  const second = (await pool.allocate(4096)) as SharedBlock;
  assert.equal(second.virtual, first.virtual, "the address was handed out again");
  second.bytes.fill(0x66);
  const before = pool.machine.core.digest();
  assert.throws(() => first.free(), { code: "ALREADY_FREED" });
  assert.throws(() => first.bytes, { code: "ALREADY_FREED" });
  assert.equal(pool.machine.core.digest(), before);
  assert.ok(second.bytes.every((byte) => byte === 0x66));
});

test("misuse E18: abort before, during and after completion", async () => {
  const pool = await SharedMemoryPool.open(SMALL);
  const empty = pool.machine.core.digest();
  const early = new AbortController();
  early.abort(new Error("before"));
  await assert.rejects(pool.allocate(64, { signal: early.signal }), /before/);
  const during = new AbortController();
  let heard = 0;
  const waiting = pool.allocate(64, { signal: during.signal, completed: () => heard++ });
  during.abort(new Error("during"));
  await assert.rejects(waiting, /during/);
  await pool.machine.run();
  assert.equal(heard, 0);
  assert.equal(pool.machine.core.digest(), empty, "what arrived was given back");
  assert.equal(pool.machine.report().requests.completed, 1);
  const after = new AbortController();
  const block = (await pool.allocate(64, { signal: after.signal })) as SharedBlock;
  after.abort();
  assert.equal(block.freed, false);
  assert.equal(pool.liveBlocks, 1);
});

test("misuse E19: the callback form and the promise form settle once each, the callback first", async () => {
  const pool = await SharedMemoryPool.open(SMALL);
  const order: string[] = [];
  const promise = pool.allocate(64, { completed: (block) => order.push(`callback ${block?.lengthBytes ?? 0}`) });
  const block = await promise.then((given) => {
    order.push(`promise ${given?.lengthBytes ?? 0}`);
    return given;
  });
  await pool.machine.run();
  assert.deepEqual(order, ["callback 64", "promise 64"]);
  assert.equal(pool.liveBlocks, 1);
  block?.free();
});

test("misuse E20: with `pump: false` nothing happens until the machine is stepped", async () => {
  const pool = await SharedMemoryPool.open({ ...SMALL, pump: false });
  let given: SharedBlock | null = null;
  const waiting = pool.allocate(64).then((block) => {
    given = block;
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(given, null);
  while (pool.machine.step());
  await waiting;
  assert.equal((given as SharedBlock | null)?.lengthBytes, 64);
});

test("close refuses while blocks are out, with how many, and frees them by force", async () => {
  const pool = await SharedMemoryPool.open(SMALL);
  await pool.allocate(64);
  await pool.allocate(65);
  await assert.rejects(pool.close(), { code: "LEAK_AT_RELEASE", value: 2 });
  assert.equal(pool.liveBlocks, 2, "nothing has changed");
  await pool.close({ force: true });
  assert.deepEqual(pool.machine.violations, []);
});

test("two pools share a machine, each with its own adapter", async () => {
  const machine = await Machine.open(SMALL);
  const [a, b] = [
    await SharedMemoryPool.open({ machine, name: "a" }),
    await SharedMemoryPool.open({ machine, name: "b" }),
  ];
  const [x, y] = await Promise.all([a.allocate(64), b.allocate(64)]);
  assert.notEqual(x?.virtual, y?.virtual);
  await assert.rejects(SharedMemoryPool.open({ machine, seed: 4 } as never), { field: "seed" });
  x?.free();
  await a.close();
  assert.equal(b.liveBlocks, 1);
  y?.free();
  await b.close();
  assert.deepEqual(machine.violations, []);
});

test("a hundred requests at once", async () => {
  const pool = await SharedMemoryPool.open({ zones: [{ base: 2 ** 28, size: 2 ** 20 }], schedule: "random" });
  const blocks = await Promise.all(Array.from({ length: 100 }, (_, i) => pool.allocate(i + 1)));
  assert.deepEqual(
    blocks.map((block) => block?.lengthBytes),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  for (const block of blocks) block?.free();
  await pool.close();
});

test.run();
