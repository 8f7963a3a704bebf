/**
 * A turn of the host's event loop, by whatever the host has for it: `setImmediate` (Node), a message channel (browsers,
 * Deno), a timer. Promises alone give the host no turn: its timers, sockets and frames would wait until a run is over.
 */

interface Host {
  readonly setImmediate?: (run: () => void) => unknown;
  readonly MessageChannel?: new () => {
    readonly port1: { onmessage: (() => void) | null; close(): void };
    readonly port2: { postMessage(message: null): void };
  };
  readonly setTimeout?: (run: () => void, delayMs: number) => unknown;
}

/** Resolves after the host's event loop had a turn. */
export function hostTurn(): Promise<void> {
  const { setImmediate, MessageChannel, setTimeout } = globalThis as unknown as Host;
  return new Promise((resolve) => {
    if (setImmediate !== undefined) {
      setImmediate(resolve);
    } else if (MessageChannel !== undefined) {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    } else if (setTimeout !== undefined) {
      setTimeout(resolve, 0);
    } else {
      resolve();
    }
  });
}
