/**
 * A target of the registry as Jazzer.js wants it: a function of a Buffer that throws where something is wrong.
 * `driver` is the driver fuzzer on e100bex: any bytes are a scenario.
 */
const { decodeScenario, BUILT_IN_DRIVERS, ScenarioPlayer, TARGETS } = require("../../../dist/cjs/fuzz.js");

/** The function of a target. */
module.exports = function fuzzTarget(name) {
  if (name === "driver") {
    const player = new ScenarioPlayer(BUILT_IN_DRIVERS[0]);
    return async (data) => {
      const { finding } = await player.play(decodeScenario(data));
      if (finding !== null) throw new Error(`${finding.rule}: ${finding.message}`);
    };
  }
  const target = TARGETS.find((entry) => entry.name === name).open();
  return (data) => {
    const played = target.play(data);
    const model = (finding) => {
      if (finding !== undefined) throw new Error(finding.message);
    };
    return played instanceof Promise ? played.then(model) : model(played);
  };
};
