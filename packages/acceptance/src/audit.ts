import type { Lab } from './lab';
import { redis } from './lab-clock';

const LOOK_BACK = 2_000;

/** The moves of one session as the audit stream tells them, oldest first: `hibernated → waking g2`. */
export async function movesOf(lab: Lab, sessionId: string): Promise<readonly string[]> {
  const entries = JSON.parse(await redis(lab, '--json', 'XREVRANGE', 'audit', '+', '-', 'COUNT', String(LOOK_BACK))) as [string, string[]][];
  return entries
    .reverse()
    .map(([, flat]) => new Map(flat.flatMap((key, at) => (at % 2 === 0 ? [[key, flat[at + 1] ?? ''] as const] : []))))
    .filter((entry) => entry.get('session') === sessionId)
    .map((entry) => `${entry.get('from') ?? ''} → ${entry.get('to') ?? ''} g${entry.get('gen') ?? ''}`);
}
