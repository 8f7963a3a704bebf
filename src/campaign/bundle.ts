/**
 * A driver as the database keeps it: a few files under the hash of their content, enough to play it on another machine.
 *
 *     nic.mjs ─────────────────────────► { entry: "nic.mjs",  files: { "nic.mjs": text } }
 *     nic.ts + ./ring.ts ── esbuild ───► { entry: "nic.mjs",  files: { "nic.mjs": text } }
 *     nic.wasm, --device hw.mjs ───────► { entry: "nic.wasm", device: "hw.mjs", files: { "nic.wasm": bytes, "hw.mjs": text } }
 *     e100bex ─────────────────────────► { entry: "e100bex",  files: {} }        a driver of this package, by name
 *
 * A module that imports nothing but this package and Node's own modules is kept as it is, so that the lines of a finding are
 * its author's. One that imports other files is bundled by esbuild (an optional peer), which is also what translates
 * TypeScript. The hash is over the manifest with its keys in order: the same driver has the same hash on every machine.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { ShmemError } from "../../bindings/index.js";
import { loadPeer } from "./database.js";
import { PACKAGE_ROOT } from "./package.js";

/** What is hashed and kept. File contents are base64. */
export interface Manifest {
  /** Name of the file to play, or of a driver of this package. */
  readonly entry: string;
  /** File of the device model, for a driver in C. */
  readonly device: string | null;
  /** Content of each file by its name, in base64. Names have no folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** A driver, ready to be sent. */
export interface Bundle {
  /** SHA-256 of the manifest, 64 hexadecimal digits. */
  readonly hash: string;
  /** The driver file's name without its ending; shown in tables. */
  readonly name: string;
  /** What is sent. */
  readonly manifest: Manifest;
}

/** A bundle of more than this is refused: what is larger holds something that was not meant (a capture, a model). */
export const MOST_BUNDLE_BYTES: number = 16 * 1024 * 1024;

const OWN_PACKAGE = /^ndis-shmem(?:\/|$)/;
const BUILTINS: ReadonlySet<string> = new Set(builtinModules);

function isProvided(specifier: string): boolean {
  return specifier.startsWith("node:") || BUILTINS.has(specifier) || OWN_PACKAGE.test(specifier);
}

/** Specifiers that a module's text imports or requires. Text in comments counts too: then it is bundled needlessly. */
function importsOf(text: string): string[] {
  const found = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(["'])([^"'\n]+)\1/g);
  return Array.from(found, ([, , specifier]) => specifier as string);
}

interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>;
}

/** The text of a module that stands alone, and the name that says how Node has to read it. */
async function standalone(path: string): Promise<{ readonly name: string; readonly text: string }> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ShmemError("INVALID_ARGUMENT", `${path} cannot be read`, { field: "driver", value: path, cause });
  }
  const ending = extname(path);
  const plain = ending === ".mjs" || ending === ".cjs";
  if (plain && importsOf(text).every(isProvided)) return { name: basename(path), text };
  const { build } = await loadPeer<Esbuild>("esbuild");
  const result = await build({
    entryPoints: [path],
    absWorkingDir: dirname(path),
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["ndis-shmem", "ndis-shmem/*"],
    legalComments: "none",
    logLevel: "silent",
  }).catch((cause: unknown) => {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      `${path} cannot be bundled: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        field: "driver",
        value: path,
        cause,
      },
    );
  });
  return { name: `${basename(path, ending)}.mjs`, text: result.outputFiles[0]?.text ?? "" };
}

function hashOf(manifest: Manifest): string {
  const files = Object.keys(manifest.files)
    .sort()
    .map((name) => [name, manifest.files[name]]);
  return createHash("sha256")
    .update(JSON.stringify([manifest.entry, manifest.device, files]))
    .digest("hex");
}

/**
 * Make a bundle of a driver: a module (.mjs, .cjs, .js, .ts), a module compiled from C (.wasm, with the device model that it
 * drives), or the name of a driver of this package.
 *
 * @throws `INVALID_ARGUMENT` for a file that cannot be read or bundled, a `.wasm` without a device, a bundle over 16 MiB;
 * `MISSING_PEER` where esbuild is needed and absent.
 */
export async function bundleDriver(
  driver: string,
  options: { readonly device?: string; readonly builtIn?: readonly string[] } = {},
): Promise<Bundle> {
  const manifest = await manifestOf(driver, options.device, options.builtIn ?? []);
  const bytes = Object.values(manifest.files).reduce((sum, text) => sum + text.length, 0);
  if (bytes > MOST_BUNDLE_BYTES) {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      `${driver} makes a bundle of ${bytes} bytes; ${MOST_BUNDLE_BYTES} is the most`,
      {
        field: "driver",
        value: bytes,
        unit: "bytes",
      },
    );
  }
  return { hash: hashOf(manifest), name: basename(driver).replace(/\.[^.]+$/, ""), manifest };
}

async function manifestOf(driver: string, device: string | undefined, builtIn: readonly string[]): Promise<Manifest> {
  if (builtIn.includes(driver)) return { entry: driver, device: null, files: {} };
  const path = resolve(driver);
  const files: Record<string, string> = {};
  let deviceName: string | null = null;
  if (extname(path) === ".wasm") {
    if (device === undefined) {
      throw new ShmemError("INVALID_ARGUMENT", `${driver} is a driver in C and needs its device model: --device FILE`, {
        field: "device",
      });
    }
    const hardware = await standalone(resolve(device));
    deviceName = hardware.name;
    files[hardware.name] = Buffer.from(hardware.text).toString("base64");
    files[basename(path)] = readFileSync(path).toString("base64");
    return { entry: basename(path), device: deviceName, files };
  }
  const { name, text } = await standalone(path);
  files[name] = Buffer.from(text).toString("base64");
  return { entry: name, device: null, files };
}

/** A manifest as bytes for the database. */
export function packManifest(manifest: Manifest): Uint8Array {
  return gzipSync(JSON.stringify(manifest));
}

/**
 * The reverse of `packManifest`, proved against the hash under which it lay.
 *
 * @throws `BAD_CAMPAIGN` for content that is damaged or belongs to another hash.
 */
export function unpackManifest(content: Uint8Array, hash: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(gunzipSync(content, { maxOutputLength: 2 * MOST_BUNDLE_BYTES }).toString("utf8")) as Manifest;
    if (hashOf(manifest) === hash) return manifest;
  } catch (cause) {
    throw new ShmemError("BAD_CAMPAIGN", `the bundle ${hash} is damaged`, { field: "bundle", value: hash, cause });
  }
  throw new ShmemError("BAD_CAMPAIGN", `the bundle ${hash} has other content than its hash says`, {
    field: "bundle",
    value: hash,
  });
}

/** A folder of this process's own, where bundles are laid so that they can be imported. */
export class BundleFolder {
  /** The folder; each bundle lies in a folder of its own below it. */
  readonly path: string;
  readonly #laid = new Set<string>();

  /** Make the folder, in the system's place for temporary files. */
  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "ndis-shmem-campaign-"));
    const modules = join(this.path, "node_modules");
    mkdirSync(modules);
    // What the drivers' `import "ndis-shmem"` finds.
    symlinkSync(PACKAGE_ROOT, join(modules, "ndis-shmem"), "junction");
  }

  /** Lay the files of a bundle; returns the folder that holds them. */
  lay(hash: string, manifest: Manifest): string {
    const folder = join(this.path, hash);
    if (this.#laid.has(hash)) return folder;
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(manifest.files)) {
      // A name with a separator would leave the folder. Bundles come from a database, that is, from outside.
      if (name !== basename(name) || name === "" || name === "." || name === "..") {
        throw new ShmemError("BAD_CAMPAIGN", `the bundle ${hash} has a file that leaves its folder`, {
          field: "bundle",
          value: name,
        });
      }
      writeFileSync(join(folder, name), Buffer.from(text, "base64"));
    }
    this.#laid.add(hash);
    return folder;
  }

  /** Remove the folder. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
