/**
 * The device that nic.c drives: one receive ring, one transmit ring, an interrupt. See nic.h.
 *
 * The device reaches memory by physical address, and tells through `port.owns` and `port.gives` whose a buffer is: what
 * the driver writes into a buffer that it has given away is found at the store.
 */
const CAUSES = 0x00; // byte: 1 a frame is stored, 2 a packet was sent, 4 a frame found no buffer
const MASK = 0x01; // byte
const COMMAND = 0x02; // word: 0 reset, 1 run, 2 stop
const RX_LOW = 0x04;

const RX_SIZE = 0x0c;
const TX_LOW = 0x10;

const TX_SIZE = 0x18;
const DOORBELL = 0x1c;
const RX_DOORBELL = 0x20;

const OWNED = 0x8000;
const MAX_FRAME = 1514;
/** A packet is on the wire for so long, nanoseconds. */
const SEND_NS = 12_000;

class Nic {
  widths = true;
  #wire;
  #port = null;
  #word = new Uint8Array(16);
  #view = new DataView(this.#word.buffer);

  constructor(wire) {
    this.#wire = wire;
    this.#clear();
  }

  attach(port) {
    this.#port = port;
  }

  detach() {
    this.#clear();
    this.#port = null;
  }

  readRegister(offset) {
    if (offset === CAUSES) return this.causes;
    if (offset === MASK) return this.mask;
    if (offset === COMMAND) return this.running ? 1 : 2;
    return this.registers[offset >> 2] ?? 0;
  }

  writeRegister(offset, value, widthBytes) {
    if (offset === CAUSES) this.causes &= ~value;
    else if (offset === MASK) {
      this.mask = value & 0xff;
      this.#interrupt();
    } else if (offset === COMMAND) {
      if (value === 0) this.#clear();
      else this.running = value === 1;
      if (this.running) this.#send();
    } else if (widthBytes === 4) {
      this.registers[offset >> 2] = value;
      if (offset === DOORBELL) this.#send();
      if (offset === RX_DOORBELL) this.#take(value);
    }
  }

  /** The driver has put buffers into the ring: from here on they are the device's. */
  #take(tail) {
    const size = this.registers[RX_SIZE >> 2];
    for (; size > 0 && this.taken !== tail % size; this.taken = (this.taken + 1) % size) {
      if (!this.#read(this.#ring(RX_LOW) + 16 * this.taken)) return;
      if ((this.#view.getUint16(10, true) & OWNED) !== 0)
        this.#port?.owns(this.#address(), this.#view.getUint16(8, true));
    }
  }

  /** The device forgets its buffers. */
  #giveBack() {
    const size = this.registers?.[RX_SIZE >> 2] ?? 0;
    for (; size > 0 && this.rx !== this.taken; this.rx = (this.rx + 1) % size) {
      if (!this.#read(this.#ring(RX_LOW) + 16 * this.rx)) return;
      if ((this.#view.getUint16(10, true) & OWNED) !== 0)
        this.#port?.gives(this.#address(), this.#view.getUint16(8, true));
    }
  }

  /** A frame comes over the wire. */
  receive(frame) {
    if (!this.running) return this.#wire.onDrop("receiver-off");
    if (frame.length > MAX_FRAME) return this.#wire.onDrop("oversize");
    const size = this.registers[RX_SIZE >> 2];
    const at = this.#ring(RX_LOW) + 16 * this.rx;
    if (size === 0 || !this.#read(at)) return this.#wire.onDrop("bus-fault");
    const flags = this.#view.getUint16(10, true);
    const room = this.#view.getUint16(8, true);
    if ((flags & OWNED) === 0) {
      this.#cause(4);
      return this.#wire.onDrop("no-buffer");
    }
    if (frame.length > room) return this.#wire.onDrop("too-short");
    if (!this.#write(this.#address(), frame)) return this.#wire.onDrop("bus-fault");
    this.#port?.gives(this.#address(), room);
    this.#view.setUint16(8, frame.length, true);
    this.#view.setUint16(10, flags & ~OWNED, true);
    this.#write(at + 8, this.#word.subarray(8, 12));
    this.rx = (this.rx + 1) % size;
    this.#cause(1);
    return undefined;
  }

  /** What lies in the transmit ring goes out, one packet after the other. */
  #send() {
    if (this.sending || !this.running || this.tx === this.registers[DOORBELL >> 2]) return;
    this.sending = true;
    const life = this.life;
    this.#port?.after(SEND_NS, () => {
      if (life !== this.life) return;
      this.sending = false;
      const at = this.#ring(TX_LOW) + 16 * this.tx;
      if (!this.running || !this.#read(at)) return;
      const flags = this.#view.getUint16(10, true);
      const packet = new Uint8Array(Math.min(MAX_FRAME, this.#view.getUint16(8, true)));
      try {
        this.#port.read(this.#address(), packet);
      } catch {
        return;
      }
      this.#view.setUint16(10, flags & ~OWNED, true);
      this.#write(at + 8, this.#word.subarray(8, 12));
      this.tx = (this.tx + 1) % (this.registers[TX_SIZE >> 2] || 1);
      this.#cause(2);
      this.#send();
    });
  }

  #clear() {
    if (this.#port !== null) this.#giveBack();
    this.registers = new Uint32Array(9);
    this.causes = 0;
    this.mask = 0xff;
    this.running = false;
    this.sending = false;
    this.rx = 0;
    this.taken = 0;
    this.tx = 0;
    this.life = (this.life ?? 0) + 1;
  }

  #ring(low) {
    return this.registers[low >> 2] + this.registers[(low >> 2) + 1] * 2 ** 32;
  }

  #address() {
    return this.#view.getUint32(0, true) + this.#view.getUint32(4, true) * 2 ** 32;
  }

  #cause(cause) {
    this.causes |= cause;
    this.#interrupt();
  }

  #interrupt() {
    if ((this.causes & ~this.mask) !== 0) this.#port?.interrupt();
  }

  // A fault of the bus is recorded with its address; what a controller can do about it is to stop.
  #read(at) {
    try {
      this.#port.read(at, this.#word);
      return true;
    } catch {
      this.running = false;
      return false;
    }
  }

  #write(at, bytes) {
    try {
      this.#port.write(at, bytes);
      return true;
    } catch {
      this.running = false;
      return false;
    }
  }
}

export const device = (wire) => new Nic(wire);
export const pci = { vendor: 0x1af4, device: 0x10f0, bars: [{ bytes: 4096 }] };
export const arenaBytes = 256 * 1024;
