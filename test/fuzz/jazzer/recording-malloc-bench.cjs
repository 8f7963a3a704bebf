module.exports.fuzz = require("./target.cjs")("recording-malloc-bench");
