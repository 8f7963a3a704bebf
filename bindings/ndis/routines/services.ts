/**
 * How a driver comes by the services of its adapter (`records/services.ts`): by the handle of MiniportInitializeEx.
 */
import type { AdapterHandle } from "../documented/handles.js";
import type { AdapterServices } from "../records/services.js";
import { adapterOf } from "../verifier/checks.js";

/** The services of an adapter. Refuses a handle as every routine does. */
export function adapterServices(MiniportAdapterHandle: AdapterHandle): AdapterServices {
  const adapter = adapterOf(MiniportAdapterHandle, "adapterServices");
  if (adapter === null) throw new TypeError("adapterServices was given no live adapter handle");
  return adapter.services;
}
