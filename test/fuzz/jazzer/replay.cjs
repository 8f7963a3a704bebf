module.exports.fuzz = require("./target.cjs")("replay");
