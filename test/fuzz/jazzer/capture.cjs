module.exports.fuzz = require("./target.cjs")("capture");
