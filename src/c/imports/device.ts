/** The device as its driver sees it: interrupt, registers, ports, configuration space; and what the registry says. */
import {
  hex,
  INITIALIZING,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  PASSIVE_LEVEL,
  stateName,
} from "../../../bindings/index.js";
import { encodeWidth } from "../device.js";
import { TAG } from "../instance.js";
import { barOffsets, barPhysical, configSpace, FIRST_PORT } from "../pci.js";
import type { Stack } from "../places.js";
import { OURS } from "../pool.js";
import type { CAdapter, Session } from "../session.js";
import { anyAdapter, type ImportHost, type Imports, putWide, wideTextAt } from "./host.js";

interface Interrupt {
  readonly owner: CAdapter;
}

interface Configuration {
  readonly owner: CAdapter | null;
  readonly memory: number[];
  readonly stack: Stack;
}

/** Port offsets are numbers of this range: an access to one as memory is found. */
const PORT_TOKEN = 0xa000_0000;

export function deviceImports(host: ImportHost): Imports {
  /** The adapter and register that an address of the register range belongs to. */
  const registerAt = (address: number): { readonly adapter: CAdapter; readonly offset: number } | undefined => {
    const { session } = host;
    for (const adapter of session.adapters) {
      const offset = address - adapter.registerBase;
      if (offset < 0 || offset >= 0x4_0000) continue;
      const index = barAt(session, offset);
      const bar = session.pci.bars[index];
      if (bar === undefined) return undefined;
      return { adapter, offset: bar.modelOffset + offset - (barOffsets(session.pci)[index] as number) };
    }
    return undefined;
  };

  const map = (adapterHandle: number, low: number, high: number, length: number, call: string): number => {
    const { session } = host;
    const adapter = adapterHandle === 0 ? anyAdapter(session) : session.adapter(adapterHandle, call);
    if (adapter === undefined || adapter === null) return 0;
    const physical = (high | 0) * 2 ** 32 + (low >>> 0);
    const { state } = adapter.record;
    if (state !== INITIALIZING) {
      session.violate(adapter, {
        rule: "MapInInitialize",
        code: "WRONG_CONTEXT",
        call,
        message: `registers are mapped in MiniportInitializeEx; the adapter is ${stateName(state)}`,
        basis: "documented",
      });
    }
    if (adapter.record.attributes === null) {
      session.violate(adapter, {
        rule: "NdisMRegisterIoPortRange",
        code: "WRONG_CONTEXT",
        call,
        message: "NdisMSetMiniportAttributes comes before anything that claims hardware",
        basis: "documented",
      });
    }
    const { pci } = session;
    const number = adapter.number;
    for (let index = 0; index < pci.bars.length; index++) {
      const bar = pci.bars[index] as (typeof pci.bars)[number];
      const base = barPhysical(pci, number, index);
      if (bar.kind !== "memory" || physical < base || physical + (length >>> 0) > base + bar.bytes) continue;
      const address = adapter.registerBase + (barOffsets(pci)[index] as number) + (physical - base);
      const end = (address + (length >>> 0) + 7) & ~7;
      session.c.poison(address & ~7, end - (address & ~7), TAG.registers);
      session.c.registerHigh = Math.max(session.c.registerHigh, end);
      adapter.objects.set(address, { kind: "mapping of registers", stack: session.c.stack() });
      return address;
    }
    session.violate(adapter, {
      rule: "RegistersAreTheDevices",
      code: "FOREIGN_ADDRESS",
      call,
      message: `${length >>> 0} bytes at ${hex(physical)} are no registers of this device: see AllocatedResources`,
      value: physical,
      unit: "address",
    });
    return 0;
  };

  const portOf = (token: number, call: string): { readonly adapter: CAdapter; readonly offset: number } | undefined => {
    const { session } = host;
    const at = (token >>> 0) - PORT_TOKEN;
    const adapter = at >= 0 && at < 0x1000_0000 ? session.adapters[at >>> 16] : undefined;
    if (adapter === undefined || !adapter.objects.has(((PORT_TOKEN + (at & ~0xffff)) >>> 0) + 0)) {
      session.violate(session.current, {
        rule: "PortsAreRegistered",
        code: "NOT_REGISTERED",
        call,
        message: `port ${hex(token >>> 0)} was not given by NdisMRegisterIoPortRange`,
        value: token >>> 0,
        unit: "address",
        basis: "documented",
      });
      return undefined;
    }
    return { adapter, offset: at & 0xffff };
  };

  return {
    // ---- interrupt ------------------------------------------------------------------------------------------------------------
    registerInterrupt(adapterHandle, context, flat, handleAt) {
      const { session } = host;
      const { u32 } = session.c;
      const call = "NdisMRegisterInterruptEx";
      u32[handleAt >>> 2] = 0;
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      const [type = 0, , , isr = 0, dpc = 0] = u32.subarray(flat >>> 2, (flat >>> 2) + 5);
      if (type !== 0x84) {
        session.violate(adapter, {
          rule: "HeaderIsRight",
          code: "INVALID_ARGUMENT",
          call,
          message: `Header.Type is 0x${type.toString(16)}, not NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT`,
          value: type,
        });
        return NDIS_STATUS_FAILURE;
      }
      if (!session.checkFunction(isr, "iii>i", "InterruptHandler", call)) return NDIS_STATUS_FAILURE;
      if (!session.checkFunction(dpc, "iiii>v", "InterruptDpcHandler", call)) return NDIS_STATUS_FAILURE;
      if (adapter.interrupt !== null) {
        session.violate(adapter, {
          rule: "InterruptIsRegisteredOnce",
          code: "WRONG_CONTEXT",
          call,
          message: "an interrupt is registered already",
        });
        return NDIS_STATUS_FAILURE;
      }
      const object: Interrupt = { owner: adapter };
      const handle = session.handles.give("interrupt", object);
      adapter.interrupt = { handle, context, isr, dpc, due: false };
      adapter.objects.set(handle, { kind: "interrupt", stack: session.c.stack() });
      u32[handleAt >>> 2] = handle;
      const mark = session.mark();
      const isrEntry = session.c.exported("nshm_call_isr");
      try {
        adapter.services.registerInterrupt({
          isr: () => {
            if (session.dead) return false;
            const answer = session.run(adapter, "MiniportInterrupt", isrEntry, [isr, context]);
            return (answer & 2) !== 0;
          },
          dpc: () => {
            if (!session.dead)
              session.run(adapter, "MiniportInterruptDPC", session.c.tableFunction(dpc), [context, 0, 0, 0]);
          },
        });
      } finally {
        session.annotate(mark);
      }
      return NDIS_STATUS_SUCCESS;
    },
    deregisterInterrupt(handle) {
      const { session } = host;
      const call = "NdisMDeregisterInterruptEx";
      const interrupt = session.find<Interrupt>(handle, "interrupt", call);
      if (interrupt === undefined) return;
      const { owner } = interrupt;
      if (session.environment.irql.current > PASSIVE_LEVEL) {
        session.violate(owner, {
          rule: "Irql_Interrupt_Function",
          code: "WRONG_IRQL",
          call,
          message: "is for PASSIVE_LEVEL",
          value: session.environment.irql.current,
          unit: "IRQL",
          basis: "documented",
        });
        return;
      }
      owner.interrupt = null;
      owner.objects.delete(handle >>> 0);
      session.handles.release(handle);
      owner.services.deregisterInterrupt();
    },
    synchronize(handle, fn, context) {
      const { session } = host;
      const call = "NdisMSynchronizeWithInterruptEx";
      const interrupt = session.find<Interrupt>(handle, "interrupt", call);
      if (interrupt === undefined || !session.checkFunction(fn, "i>i", "SynchronizeFunction", call)) return 0;
      const { irql } = session.environment;
      const before = irql.setLevel(5 as typeof irql.current);
      try {
        return session.run(interrupt.owner, "MiniportSynchronizeInterrupt", session.c.tableFunction(fn), [context]);
      } finally {
        irql.restoreLevel(before);
      }
    },
    queueInterruptDpc(handle, message, context) {
      const { session } = host;
      void message;
      const interrupt = session.find<Interrupt>(handle, "interrupt", "NdisMQueueDpc");
      const registered = interrupt?.owner.interrupt;
      if (interrupt === undefined || registered === null || registered === undefined || registered.due) return 0;
      registered.due = true;
      interrupt.owner.services
        .createTimer(() => {
          registered.due = false;
          if (interrupt.owner.interrupt !== registered || session.dead) return;
          session.run(interrupt.owner, "MiniportInterruptDPC", session.c.tableFunction(registered.dpc), [
            registered.context,
            context,
            0,
            0,
          ]);
        })
        .set(0);
      return 1;
    },

    // ---- registers, ports ---------------------------------------------------------------------------------------------------------
    mapIoSpace: (adapter, low, high, length, documented) => {
      void documented;
      return map(adapter, low, high, length, adapter === 0 ? "MmMapIoSpace" : "NdisMMapIoSpace");
    },
    unmapIoSpace(adapterHandle, address, length) {
      const { session } = host;
      const at = address >>> 0;
      const adapter =
        adapterHandle === 0 ? anyAdapter(session) : (session.adapter(adapterHandle, "NdisMUnmapIoSpace") ?? null);
      const owner = adapter?.objects.has(at) === true ? adapter : session.adapters.find((one) => one.objects.has(at));
      if (owner === undefined) {
        session.violate(adapter, {
          rule: "MappingIsLive",
          code: "NEVER_ALLOCATED",
          call: "MmUnmapIoSpace",
          message: `${hex(at)} is no mapping of registers`,
          value: at,
          unit: "address",
          basis: "documented",
        });
        return;
      }
      owner.objects.delete(at);
      if (at < PORT_TOKEN) session.c.poison(at & ~7, ((at & 7) + (length >>> 0) + 7) & ~7, TAG.nothing);
    },
    mmioLoad(address, size) {
      const { session } = host;
      const at = address >>> 0;
      const found = registerAt(at);
      if (found === undefined) return;
      const { adapter, offset } = found;
      const { u8 } = session.c;
      for (let done = 0; done < size; ) {
        const width = size - done >= 4 ? 4 : size - done >= 2 ? 2 : 1;
        const value = adapter.services.readRegister(encodeWidth(session.c, offset + done, width));
        for (let k = 0; k < width; k++) u8[at + done + k] = (value >>> (8 * k)) & 0xff;
        done += width;
      }
    },
    mmioStore(address, size) {
      const { session } = host;
      const at = address >>> 0;
      const found = registerAt(at);
      if (found === undefined) return;
      const { adapter, offset } = found;
      const { u8 } = session.c;
      for (let done = 0; done < size; ) {
        const width = size - done >= 4 ? 4 : size - done >= 2 ? 2 : 1;
        let value = 0;
        for (let k = 0; k < width; k++) value += (u8[at + done + k] as number) * 2 ** (8 * k);
        adapter.services.writeRegister(encodeWidth(session.c, offset + done, width), value);
        done += width;
      }
    },
    mapPorts(adapterHandle, first, count) {
      const { session } = host;
      const call = "NdisMRegisterIoPortRange";
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return 0;
      const base = FIRST_PORT + adapter.number * 0x100;
      const bytes = session.pci.bars.filter((bar) => bar.kind === "io").reduce((sum, bar) => sum + bar.bytes, 0);
      if (first < base || first + count > base + bytes) {
        session.violate(adapter, {
          rule: "RegistersAreTheDevices",
          code: "FOREIGN_ADDRESS",
          call,
          message: `ports ${hex(first)} to ${hex(first + count - 1)} are not this device's: see AllocatedResources`,
          value: first,
          unit: "address",
        });
        return 0;
      }
      const token = (PORT_TOKEN + adapter.number * 0x1_0000 + (first - base)) >>> 0;
      adapter.objects.set(token, { kind: "range of ports", stack: session.c.stack() });
      return token;
    },
    portLoad(port, size) {
      const { session } = host;
      const found = portOf(port, "NdisRawReadPort");
      return found === undefined ? -1 : found.adapter.services.readRegister(encodeWidth(session.c, found.offset, size));
    },
    portStore(port, size, value) {
      const { session } = host;
      const found = portOf(port, "NdisRawWritePort");
      found?.adapter.services.writeRegister(encodeWidth(session.c, found.offset, size), value >>> 0);
    },
    busData(adapterHandle, space, offset, buffer, length, write) {
      const { session } = host;
      const adapter = session.adapter(adapterHandle, write !== 0 ? "NdisMSetBusData" : "NdisMGetBusData");
      if (adapter === undefined || space !== 0) return 0;
      let bytes = CONFIG.get(adapter);
      if (bytes === undefined) {
        bytes = configSpace(session.pci, adapter.number);
        CONFIG.set(adapter, bytes);
      }
      const from = offset >>> 0;
      const count = Math.max(0, Math.min(length >>> 0, bytes.length - from));
      const at = buffer >>> 0;
      if (write !== 0) bytes.set(session.c.u8.subarray(at, at + count), from);
      else session.c.u8.set(bytes.subarray(from, from + count), at);
      return count;
    },

    // ---- configuration, error log ----------------------------------------------------------------------------------------------------
    openConfiguration(owner, handleAt) {
      const { session } = host;
      const call = "NdisOpenConfigurationEx";
      session.c.u32[handleAt >>> 2] = 0;
      const isDriver = typeof session.handles.find(owner, "driver") !== "string";
      const adapter = isDriver ? null : session.adapter(owner, call);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      if (session.environment.faults?.strikes("synchronous", adapter?.number ?? 0, 0) === true)
        return NDIS_STATUS_RESOURCES;
      const configuration: Configuration = { owner: adapter, memory: [], stack: session.c.stack() };
      const handle = session.handles.give("configuration", configuration);
      adapter?.objects.set(handle, { kind: "configuration", stack: configuration.stack });
      session.c.u32[handleAt >>> 2] = handle;
      return NDIS_STATUS_SUCCESS;
    },
    closeConfiguration(handle) {
      const { session } = host;
      const configuration = session.find<Configuration>(handle, "configuration", "NdisCloseConfiguration");
      if (configuration === undefined) return;
      for (const address of configuration.memory) {
        const block = session.pool.blocks.get(address);
        if (block !== undefined && block.freed === null) session.pool.free(block, session.c.stack());
      }
      configuration.owner?.objects.delete(handle >>> 0);
      session.handles.release(handle);
    },
    readConfiguration(handle, keyword, length, flat, type) {
      const { session } = host;
      const configuration = session.find<Configuration>(handle, "configuration", "NdisReadConfiguration");
      if (configuration === undefined) return NDIS_STATUS_FAILURE;
      const name = wideTextAt(session, keyword, length);
      const settings = (configuration.owner ?? session.adapters[0])?.services.settings ?? {};
      const value = Object.hasOwn(settings, name) ? settings[name] : undefined;
      if (typeof value !== "number" && typeof value !== "string") return NDIS_STATUS_FAILURE;
      const asText = type === 2 || (typeof value === "string" && !/^-?\d+$/.test(value));
      const text = asText ? String(value) : "";
      const size = session.c.plain("nshm_parameter_size");
      const at = session.pool.allocate(size + 2 * text.length + 2, 0, OURS, -1, session.c.stack());
      if (at === 0) return NDIS_STATUS_RESOURCES;
      putWide(session, at + size, `${text}\0`);
      configuration.memory.push(at);
      const { u32 } = session.c;
      u32[flat >>> 2] = at;
      u32[(flat >>> 2) + 1] = asText ? 2 * text.length : Number(value) >>> 0;
      u32[(flat >>> 2) + 2] = asText ? 1 : 0;
      return NDIS_STATUS_SUCCESS;
    },
    networkAddress(handle, lengthAt) {
      const { session } = host;
      const configuration = session.find<Configuration>(handle, "configuration", "NdisReadNetworkAddress");
      const value = configuration?.owner?.services.settings.NetworkAddress;
      if (configuration === undefined || typeof value !== "string" || !/^[0-9a-f]{12}$/i.test(value)) return 0;
      const at = session.pool.allocate(6, 0, OURS, -1, session.c.stack());
      if (at === 0) return 0;
      for (let k = 0; k < 6; k++) session.c.u8[at + k] = Number.parseInt(value.slice(2 * k, 2 * k + 2), 16);
      configuration.memory.push(at);
      session.c.u32[lengthAt >>> 2] = 6;
      return at;
    },
    errorLog(adapterHandle, code, values, count) {
      const { session } = host;
      const adapter = session.adapter(adapterHandle, "NdisWriteErrorLogEntry");
      if (adapter === undefined) return;
      const list = [...session.c.u32.subarray(values >>> 2, (values >>> 2) + Math.min(count >>> 0, 64))];
      adapter.services.logError(code >>> 0, ...list);
    },
  };
}

const CONFIG: WeakMap<CAdapter, Uint8Array> = new WeakMap();

function barAt(session: Session, offset: number): number {
  const offsets = barOffsets(session.pci);
  let found = -1;
  offsets.forEach((at, index) => {
    if (offset >= at && offset < at + (session.pci.bars[index]?.bytes ?? 0)) found = index;
  });
  return found;
}
