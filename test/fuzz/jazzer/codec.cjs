module.exports.fuzz = require("./target.cjs")("codec");
