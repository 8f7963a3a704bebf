module.exports.fuzz = require("./target.cjs")("snapshot");
