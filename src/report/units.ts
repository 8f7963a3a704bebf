/** Numbers as people read them. Every function is total: any finite number gives a string, and the unit is in it. */

/** `1234567` as `1,234,567`. Rounds to an integer. */
export function grouped(value: number): string {
  const digits = Math.round(Math.abs(value)).toString();
  let text = "";
  for (let index = 0; index < digits.length; index += 1) {
    if (index > 0 && (digits.length - index) % 3 === 0) text += ",";
    text += digits[index];
  }
  return value < 0 && text !== "0" ? `-${text}` : text;
}

/** `1023 B`, `4 KiB`, `1.5 MiB`: three significant digits at most, exact multiples without a fraction. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${threeDigits(value)} ${units[unit]}`;
}

/** `250 ns`, `1.5 µs`, `12.3 ms`, `19.7 s`. */
export function durationText(ns: number): string {
  if (Math.abs(ns) < 1000) return `${threeDigits(ns)} ns`;
  if (Math.abs(ns) < 1_000_000) return `${threeDigits(ns / 1000)} µs`;
  if (Math.abs(ns) < 1_000_000_000) return `${threeDigits(ns / 1_000_000)} ms`;
  return `${threeDigits(ns / 1_000_000_000)} s`;
}

/** `31.6 %`. A part of nothing is 0 %. */
export function percentText(part: number, whole: number): string {
  return whole === 0 ? "0 %" : `${threeDigits((100 * part) / whole)} %`;
}

/** Three significant digits below 1000, whole numbers from there; no zeros behind the point. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return grouped(value);
  const text = size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
  return text.replace(/\.?0+$/, "");
}

/** `1 frame`, `2 frames`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
