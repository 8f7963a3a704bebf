/** Reports: results as text, tables, a page, and compared with earlier ones. */
export { type Change, changesBetween, compareReport } from "./compare.js";
export { htmlReport } from "./html.js";
export { markdownReport } from "./markdown.js";
export { textReport } from "./text.js";
