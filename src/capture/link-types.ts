/**
 * Link types: what kind of frames a capture holds, and how those that are no Ethernet become Ethernet frames.
 *
 * Converted are the kinds that carry IP behind a short header of the recorder's. The header goes and an Ethernet header of
 * 14 bytes comes: destination 02:00:00:00:00:01 and source 02:00:00:00:00:02 (locally administered, nobody's), or the
 * addresses that the recorder kept; then the type. Everything else is another medium's frame, and has no equivalent.
 *
 * Numbers and layouts: https://www.tcpdump.org/linktypes.html.
 */

/** Names of the link types that a user may meet. Frames of those in `CONVERTED` are converted. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0, "BSD loopback"],
  [1, "Ethernet"],
  [6, "token ring"],
  [7, "ARCNET"],
  [8, "SLIP"],
  [9, "PPP"],
  [10, "FDDI"],
  [12, "raw IP"],
  [14, "raw IP"],
  [50, "PPP in HDLC"],
  [51, "PPPoE"],
  [100, "ATM LLC"],
  [101, "raw IP"],
  [104, "Cisco HDLC"],
  [105, "IEEE 802.11"],
  [107, "frame relay"],
  [108, "OpenBSD loopback"],
  [113, "Linux cooked"],
  [114, "LocalTalk"],
  [117, "OpenBSD packet filter log"],
  [119, "IEEE 802.11 with Prism header"],
  [122, "IP over Fibre Channel"],
  [127, "IEEE 802.11 with radiotap header"],
  [129, "ARCNET on Linux"],
  [138, "IP over IEEE 1394"],
  [143, "DOCSIS"],
  [144, "IrDA on Linux"],
  [163, "IEEE 802.11 with AVS header"],
  [187, "Bluetooth HCI"],
  [189, "USB on Linux"],
  [192, "per-packet information"],
  [195, "IEEE 802.15.4"],
  [201, "Bluetooth HCI with direction"],
  [220, "USB on Linux, padded"],
  [227, "CAN"],
  [228, "raw IPv4"],
  [229, "raw IPv6"],
  [239, "netfilter log"],
  [249, "USBPcap"],
  [253, "netlink on Linux"],
  [276, "Linux cooked, version 2"],
]);

/** The registered kind: the low 16 bits. */
export const ETHERNET = 1;
const HEADER_BYTES = 14;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
/** Below, the two bytes of an Ethernet frame's type are a length (IEEE 802.3). */
const LEAST_TYPE = 0x600;
/** AF_INET6 differs from system to system; AF_INET does not. */
const AF_INET = 2;
const AF_INET6: ReadonlySet<number> = new Set([10, 24, 28, 30]);

/** What a user reads for a link type. */
export function linkTypeName(linkType: number): string {
  return NAMES.get(linkType) ?? `link type ${linkType}`;
}

/** What an Ethernet frame needs and where the payload begins. `source` has six bytes. */
interface Payload {
  readonly start: number;
  readonly type: number;
  readonly source?: Uint8Array;
}

/** For each kind that is converted, its reading; undefined for a frame without an equivalent. */
const CONVERTED: ReadonlyMap<number, (bytes: Uint8Array) => Payload | undefined> = new Map([
  [0, loopback],
  [12, rawIp],
  [14, rawIp],
  [101, rawIp],
  [108, loopback],
  [113, cooked],
  [228, (bytes) => (bytes.length === 0 ? undefined : { start: 0, type: TYPE_IPV4 })],
  [229, (bytes) => (bytes.length === 0 ? undefined : { start: 0, type: TYPE_IPV6 })],
  [276, cookedSecond],
]);

/** True for the kinds that become Ethernet frames. */
export function isConverted(linkType: number): boolean {
  return CONVERTED.has(linkType);
}

/** An Ethernet frame and how much longer it is than what it was made from. Undefined where there is no equivalent. */
export function toEthernet(linkType: number, bytes: Uint8Array): { bytes: Uint8Array; grownBytes: number } | undefined {
  const payload = CONVERTED.get(linkType)?.(bytes);
  if (payload === undefined) return undefined;
  const { start, type, source } = payload;
  const frame = new Uint8Array(HEADER_BYTES + bytes.length - start);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
  if (source !== undefined) frame.set(source, 6);
  // What is no type is the length of an IEEE 802.3 frame, whose longest is 1,500.
  const field = type >= LEAST_TYPE ? type : Math.min(bytes.length - start, 1500);
  frame[12] = field >> 8;
  frame[13] = field & 255;
  frame.set(bytes.subarray(start), HEADER_BYTES);
  return { bytes: frame, grownBytes: HEADER_BYTES - start };
}

function rawIp(bytes: Uint8Array): Payload | undefined {
  const version = (bytes[0] ?? 0) >> 4;
  if (version === 4) return { start: 0, type: TYPE_IPV4 };
  return version === 6 ? { start: 0, type: TYPE_IPV6 } : undefined;
}

/** Four bytes of address family, in the order of the recorder (kind 0) or of the network (kind 108). */
function loopback(bytes: Uint8Array): Payload | undefined {
  if (bytes.length < 4) return undefined;
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes;
  // A family is below 256, so whichever order leaves a small number is the one.
  const family = second === 0 && third === 0 ? (fourth === 0 ? first : first === 0 ? fourth : -1) : -1;
  if (family === AF_INET) return { start: 4, type: TYPE_IPV4 };
  return AF_INET6.has(family) ? { start: 4, type: TYPE_IPV6 } : undefined;
}

/** kind u16, hardware u16, address length u16, address of 8 bytes, protocol u16: all in the network's order. */
function cooked(bytes: Uint8Array): Payload | undefined {
  if (bytes.length < 16) return undefined;
  const type = ((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0);
  const addressLength = ((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0);
  return addressLength === 6 ? { start: 16, type, source: bytes.subarray(6, 12) } : { start: 16, type };
}

/** protocol u16, zero u16, interface u32, hardware u16, kind u8, address length u8, address of 8 bytes. */
function cookedSecond(bytes: Uint8Array): Payload | undefined {
  if (bytes.length < 20) return undefined;
  const type = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  return bytes[11] === 6 ? { start: 20, type, source: bytes.subarray(12, 18) } : { start: 20, type };
}
