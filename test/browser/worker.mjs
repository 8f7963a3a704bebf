/** The browser checks inside a worker. */
import { Core } from "/dist/browser/core.standalone.js";
import { OPTIONS, smoke } from "/test/browser/smoke.mjs";

self.onmessage = async ({ data: { seed, machine } }) => {
  if (!machine) {
    self.postMessage(smoke(await Core.open(OPTIONS), seed));
    return;
  }
  const [library, ndis, { lives }] = await Promise.all(
    ["/dist/browser/index.js", "/dist/browser/ndis.js", "/test/browser/machine.mjs"].map((path) => import(path)),
  );
  self.postMessage(await lives(library, ndis, seed));
};
