module.exports.fuzz = require("./target.cjs")("recording-wee_alloc");
