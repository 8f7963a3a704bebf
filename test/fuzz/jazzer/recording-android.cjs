module.exports.fuzz = require("./target.cjs")("recording-android");
