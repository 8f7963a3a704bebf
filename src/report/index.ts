/** Public entry of src/report: what a run did, as data, as a table and as a picture. */
export { captureKind, captureLine, captureRemarks } from "./capture-text.js";
export * from "./history.js";
export { PICTURE_WIDTH, reportPicture } from "./picture/picture.js";
export { progressBar } from "./progress.js";
export * from "./run-report.js";
export { reportTable, TABLE_COLUMNS } from "./table.js";
export { bytesText, counted, durationText, grouped, percentText } from "./units.js";
