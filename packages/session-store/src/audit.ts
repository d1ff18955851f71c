import type { Redis } from 'ioredis';
import { keys } from './keys';

/** One entry of the audit stream: who moved what, when, from which state to which. All values are text. */
export type AuditEntry = Record<'at' | 'actor' | 'action' | 'session' | 'user' | 'from' | 'to' | 'gen' | 'rev' | 'node' | 'digest' | 'reason', string>;

/** The last entries, the newest first. */
export async function readAudit(redis: Redis, count: number): Promise<AuditEntry[]> {
  const entries = await redis.xrevrange(keys.audit, '+', '-', 'COUNT', count);
  return entries.map(([, flat]) => {
    const entry: Record<string, string> = {};
    for (let i = 0; i < flat.length; i += 2) entry[flat[i] as string] = flat[i + 1] as string;
    return entry as AuditEntry;
  });
}
