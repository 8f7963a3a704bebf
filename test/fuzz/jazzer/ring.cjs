module.exports.fuzz = require("./target.cjs")("ring");
