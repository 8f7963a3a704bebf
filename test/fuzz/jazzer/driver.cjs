module.exports.fuzz = require("./target.cjs")("driver");
