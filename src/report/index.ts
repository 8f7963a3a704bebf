/** Public entry of src/report: what a run did, as data, as a table and as a picture. */
export { captureKind, captureLine, captureRemarks } from "./capture-text.js";
export * from "./history.js";
export { PICTURE_WIDTH, reportPicture } from "./picture/picture.js";
export { progressBar } from "./progress.js";
export { type Row, type RowGroup, rowLines, wrapped } from "./rows.js";
export * from "./run-report.js";
export { type Spread, SpreadRecorder, spreadOf } from "./spread.js";
export { reportTable } from "./table.js";
export { bytesText, counted, durationText, grouped, percentText } from "./units.js";
