/** What the imports of a driver share: the run that is on, and small things about its memory. */
import type { CAdapter, Session } from "../session.js";

/** Numbers come as signed 32-bit integers; what C declares as `void` answers nothing. */
export type Imports = Record<string, (...args: number[]) => unknown>;

/** The loader's side of one instance. A session begins with each DriverEntry. */
export interface ImportHost {
  session: Session;
  /** The device that was plugged in last, and that no adapter was initialized for. */
  attached: { readonly stored: number } | null;
}

/** 100 ns units of NDIS, relative where negative, as nanoseconds from now; an absolute time is since the machine started. */
export function dueNs(session: Session, low: number, high: number): number {
  if ((high | 0) < 0 || (high | low) === 0) return -((high | 0) * 2 ** 32 + (low >>> 0)) * 100;
  // By halves: a time since 1601 has more bits than a double.
  const ticks = ((high | 0) - EPOCH.high) * 2 ** 32 + ((low >>> 0) - EPOCH.low);
  return Math.max(0, ticks * 100 - nowNs(session));
}

/** 2026-01-01 in units of 100 ns since 1601: what the clock of a machine that just started shows. */
export const EPOCH: { readonly low: number; readonly high: number } = { low: 0x9281_0000, high: 0x01dc_7ab1 };

/** Simulated time as the driver sees it. */
export function nowNs(session: Session): number {
  return session.environment.clock.nowNs + session.stalledNs;
}

/** The adapter that code runs for, or the first one: for routines that name none. */
export function anyAdapter(session: Session): CAdapter | null {
  return session.current ?? session.adapters.find((one) => !one.halted) ?? null;
}

/** ASCII of a zero-terminated text in the driver's memory. */
export function textAt(session: Session, address: number): string {
  const { u8 } = session.c;
  let text = "";
  for (let at = address >>> 0; at < u8.length && u8[at] !== 0 && text.length < 1000; at++)
    text += String.fromCharCode(u8[at] as number);
  return text;
}

/** UTF-16 of so many bytes. */
export function wideTextAt(session: Session, address: number, lengthBytes: number): string {
  const { u8 } = session.c;
  let text = "";
  for (let at = address >>> 0; at + 1 < (address >>> 0) + lengthBytes && at + 1 < u8.length; at += 2) {
    text += String.fromCharCode((u8[at] as number) | ((u8[at + 1] as number) << 8));
  }
  return text;
}

export function putWide(session: Session, address: number, text: string): void {
  const { u8 } = session.c;
  for (let k = 0; k < text.length; k++) {
    const code = text.charCodeAt(k);
    u8[address + 2 * k] = code & 0xff;
    u8[address + 2 * k + 1] = code >> 8;
  }
}
