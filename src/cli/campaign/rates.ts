/** How fast each driver of a campaign plays, so that its jobs last as long as asked. Played in a thread, as jobs are. */
import type { Bundle } from "../../campaign/index.js";
import type { CommandIo } from "../command.js";

type Campaign = typeof import("../../campaign/index.js");

/** Scenarios before the measurement, while the engine compiles, and in it. */
const WARM_UP = 2000;
const MEASURED = 2000;
/** A driver that needs more than this for one scenario has its jobs cut by the measured rate all the same. */
const SCENARIO_MS = 2000;

/** Scenarios a second of one thread, by the driver's hash. */
export async function measureRates(
  campaign: Campaign,
  drivers: readonly Bundle[],
  io: CommandIo,
): Promise<Map<string, number>> {
  const folder = new campaign.BundleFolder();
  const rates = new Map<string, number>();
  try {
    for (const { hash, name, manifest } of drivers) {
      const player = new campaign.Player(folder, { scenarioMs: SCENARIO_MS });
      const job = { campaign: "", hash, search: "random", seed: 1, version: campaign.PACKAGE_VERSION } as const;
      try {
        await player.play({ ...job, first: 0, count: WARM_UP }, manifest, { choices: {}, bound: 1 });
        const { scenarios, elapsedMs } = await player.play({ ...job, first: WARM_UP, count: MEASURED }, manifest, {
          choices: {},
          bound: 1,
        });
        const rate = (Math.max(1, scenarios) * 1000) / Math.max(1, elapsedMs);
        rates.set(hash, rate);
        io.err(`${name}: about ${Math.round(rate)} scenarios a second and thread\n`);
      } finally {
        await player.close();
      }
    }
  } finally {
    folder.remove();
  }
  return rates;
}
