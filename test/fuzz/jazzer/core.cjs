module.exports.fuzz = require("./target.cjs")("core");
