module.exports.fuzz = require("./target.cjs")("recording-event-log");
