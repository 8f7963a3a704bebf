module.exports.fuzz = require("./target.cjs")("recording-vma");
