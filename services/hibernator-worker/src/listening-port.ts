import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LISTEN = '0A';

/** True when the text of a `/proc/{pid}/net/tcp` names a socket in LISTEN on the port. */
export function hasListener(table: string, port: number): boolean {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === LISTEN && local?.endsWith(`:${wanted}`) === true;
  });
}

/**
 * True when something inside the container of this process listens on the port (IPv4 or IPv6). No probe is sent: the
 * kernel shows a container's sockets under its processes. False when the process is gone.
 */
export async function isListening(hostProc: string, pid: number, port: number): Promise<boolean> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(join(hostProc, String(pid), 'net', name), 'utf8').catch(() => '')));
  return tables.some((table) => hasListener(table, port));
}

/**
 * Resolves true as soon as the port listens, false when the signal aborts first. The kernel has no event for this, so it
 * looks every 10 ms: one read of a file in memory.
 */
export async function whenListening(hostProc: string, pid: number, port: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await isListening(hostProc, pid, port)) return true;
    await sleep(10, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
