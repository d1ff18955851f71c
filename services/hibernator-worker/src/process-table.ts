import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** The number N of /dev/pts/N it has as controlling terminal, or null. */
  readonly terminal: number | null;
}

const PTS_MAJOR = 136;

/** One line of `/proc/{pid}/stat` (proc(5)), or null when it is none. The name may hold spaces and brackets. */
export function parseProcessStat(text: string): ProcessEntry | null {
  const match = /^(\d+) \((.*)\) \S (\d+) \d+ \d+ (-?\d+)/s.exec(text);
  if (!match) return null;
  const device = Number(match[4]);
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  const isPts = major >= PTS_MAJOR && major < PTS_MAJOR + 8;
  return { pid: Number(match[1]), parent: Number(match[3]), name: match[2] as string, terminal: isPts ? (major - PTS_MAJOR) * 256 + minor : null };
}

/** All processes of the node. Those that end while it reads are left out. One walk serves the look at every session. */
export async function readProcesses(hostProc: string): Promise<ProcessEntry[]> {
  const pids = (await readdir(hostProc)).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(join(hostProc, pid, 'stat'), 'utf8').catch(() => null);
      return text === null ? null : parseProcessStat(text);
    }),
  );
  return entries.filter((entry) => entry !== null);
}

/** The processes below one, itself included. */
export function descendantsOf(root: number, processes: readonly ProcessEntry[]): ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of processes) children.set(entry.parent, [...(children.get(entry.parent) ?? []), entry]);
  const found = processes.filter((entry) => entry.pid === root);
  for (const entry of found) found.push(...(children.get(entry.pid) ?? []));
  return found;
}
