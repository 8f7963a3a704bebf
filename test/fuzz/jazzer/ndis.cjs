module.exports.fuzz = require("./target.cjs")("ndis");
