/** Refusals of the capture layer. */
import { ShmemError } from "../../bindings/index.js";

/** `BAD_CAPTURE` with the byte offset (of the unpacked file) at fault. */
export function badCapture(offset: number, why: string): ShmemError {
  return new ShmemError("BAD_CAPTURE", `${why} (at offset ${offset})`, { value: offset, unit: "offset" });
}

/** `BAD_CAPTURE` with the link type that cannot be played. */
export function badLinkType(linkType: number, name: string): ShmemError {
  return new ShmemError(
    "BAD_CAPTURE",
    `its frames are ${name} (link type ${linkType}), not Ethernet, and are not converted to it`,
    { value: linkType, unit: "link type" },
  );
}
