/** Bundles: one driver has one hash wherever it lies; damage and foreign names are refused; URLs with a password too. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import { BundleFolder, bundleDriver, packManifest, unpackManifest } from "../../src/campaign/bundle.js";
import { checkedUrl, withoutPassword } from "../../src/campaign/database.js";
import { parseSeeds } from "../../src/cli/campaign/campaign.js";
import { CLEAN } from "./fixtures/drivers.js";

const test = suite("campaign bundles");
const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-bundles-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function put(...path: string[]): (text: string) => string {
  const file = join(folder, ...path);
  mkdirSync(join(file, ".."), { recursive: true });
  return (text) => {
    writeFileSync(file, text);
    return file;
  };
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert.instance(error, ShmemError);
    return (error as ShmemError).code;
  }
  throw new Error("nothing was refused");
}

async function refusalOf(call: Promise<unknown>): Promise<ShmemError> {
  try {
    await call;
  } catch (error) {
    assert.instance(error, ShmemError);
    return error as ShmemError;
  }
  throw new Error("nothing was refused");
}

test("a module that stands alone is kept as it is; the folder does not change the hash, the content does", async () => {
  const one = await bundleDriver(put("a", "nic.mjs")(CLEAN));
  const other = await bundleDriver(put("b", "nic.mjs")(CLEAN));
  assert.is(one.hash, other.hash);
  assert.is(Buffer.from(one.manifest.files["nic.mjs"] ?? "", "base64").toString(), CLEAN);
  assert.is(one.name, "nic");
  const changed = await bundleDriver(put("c", "nic.mjs")(`${CLEAN}\n`));
  assert.not.equal(changed.hash, one.hash);
});

test("a module with modules of its own, or in TypeScript, becomes one file, with one hash in every folder", async () => {
  const make = (
    where: string,
  ): Promise<{ readonly hash: string; readonly manifest: { readonly files: Readonly<Record<string, string>> } }> => {
    put(where, "part.mjs")("export const answer = 42;\n");
    return bundleDriver(
      put(
        where,
        "nic.ts",
      )(`import { answer } from "./part.mjs";\nexport const driver: object = { name: String(answer) };\n`),
    );
  };
  const [one, other] = [await make("d"), await make("e")];
  assert.is(one.hash, other.hash);
  const text = Buffer.from(one.manifest.files["nic.mjs"] ?? "", "base64").toString();
  assert.match(text, /answer = 42/);
  assert.not.match(text, /: object/);
});

test("a name of this package needs no file; a .wasm needs its device", async () => {
  assert.equal((await bundleDriver("e100bex", { builtIn: ["e100bex"] })).manifest, {
    entry: "e100bex",
    device: null,
    files: {},
  });
  const refusal = await refusalOf(bundleDriver(put("nic.wasm")("\0asm")));
  assert.is(refusal.code, "INVALID_ARGUMENT");
  assert.is(refusal.field, "device");
  assert.is((await refusalOf(bundleDriver(join(folder, "none.mjs")))).code, "INVALID_ARGUMENT");
  assert.match((await refusalOf(bundleDriver(put("broken.ts")("export const = ;")))).message, /cannot be bundled/);
});

test("what the database gives back is proved against its hash, and leaves no folder", async () => {
  const { hash, manifest } = await bundleDriver(put("f", "nic.mjs")(CLEAN));
  const packed = packManifest(manifest);
  assert.equal(unpackManifest(packed, hash), manifest);
  assert.is(
    codeOf(() => unpackManifest(packed, "0".repeat(64))),
    "BAD_CAMPAIGN",
  );
  assert.is(
    codeOf(() => unpackManifest(packed.subarray(0, packed.length - 9), hash)),
    "BAD_CAMPAIGN",
  );
  const other = packManifest({ ...manifest, files: { "nic.mjs": Buffer.from("evil").toString("base64") } });
  assert.is(
    codeOf(() => unpackManifest(other, hash)),
    "BAD_CAMPAIGN",
  );

  const place = new BundleFolder();
  try {
    const laid = place.lay(hash, manifest);
    assert.is(readFileSync(join(laid, "nic.mjs"), "utf8"), CLEAN);
    const outside = { entry: "x", device: null, files: { "../escaped.mjs": "" } };
    assert.is(
      codeOf(() => place.lay("1".repeat(64), outside)),
      "BAD_CAMPAIGN",
    );
    assert.not.ok(existsSync(join(place.path, "escaped.mjs")));
  } finally {
    place.remove();
  }
  assert.not.ok(existsSync(place.path));
});

test("a password on the command line is refused, and no message repeats one", () => {
  assert.is(
    checkedUrl("postgres://fuzz@db.example/fuzz?sslmode=verify-full", true),
    "postgres://fuzz@db.example/fuzz?sslmode=verify-full",
  );
  assert.is(checkedUrl("postgres://fuzz:secret@db/fuzz", false), "postgres://fuzz:secret@db/fuzz");
  for (const url of [
    "postgres://fuzz:secret@db/fuzz",
    "postgres://fuzz:secret@db:99999/x",
    "postgres://fuzz@db/fuzz?password=secret",
    "mysql://fuzz:secret@db/x",
  ]) {
    try {
      checkedUrl(url, true);
      assert.unreachable();
    } catch (error) {
      assert.is((error as ShmemError).code, "INVALID_ARGUMENT");
      assert.not.match(`${(error as Error).message} ${String((error as ShmemError).value)}`, /secret/);
    }
  }
  assert.is(withoutPassword("postgres://fuzz:secret@db/fuzz"), "postgres://fuzz:***@db/fuzz");
});

test("seeds as numbers and ranges", () => {
  assert.equal(parseSeeds("1-3,7"), [1, 2, 3, 7]);
  for (const wrong of ["", "a", "3-1", "1-", "-1", "1.5", "0-100000"]) {
    assert.throws(() => parseSeeds(wrong), /--seeds takes/);
  }
});

test.run();
