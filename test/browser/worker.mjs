/** The browser check inside a worker. */
import { Core } from "/dist/browser/core.standalone.js";
import { OPTIONS, smoke } from "/test/browser/smoke.mjs";

self.onmessage = async ({ data: seed }) => {
  self.postMessage(smoke(await Core.open(OPTIONS), seed));
};
