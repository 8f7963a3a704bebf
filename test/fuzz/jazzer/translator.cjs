module.exports.fuzz = require("./target.cjs")("translator");
