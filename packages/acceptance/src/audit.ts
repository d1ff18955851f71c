import type { Lab } from './lab';
import { redis } from './lab-clock';

const LOOK_BACK = 5_000;

/** One entry of the audit stream, as far as the tests ask. */
export interface AuditedMove {
  readonly action: string;
  readonly from: string;
  readonly to: string;
  readonly gen: number;
  readonly rev: number;
}

/** What the audit stream tells of one session, oldest first. */
export async function auditOf(lab: Lab, sessionId: string): Promise<readonly AuditedMove[]> {
  const entries = JSON.parse(await redis(lab, '--json', 'XREVRANGE', 'audit', '+', '-', 'COUNT', String(LOOK_BACK))) as [string, string[]][];
  return entries
    .reverse()
    .map(([, flat]) => new Map(flat.flatMap((key, at) => (at % 2 === 0 ? [[key, flat[at + 1] ?? ''] as const] : []))))
    .filter((entry) => entry.get('session') === sessionId)
    .map((entry) => ({ action: entry.get('action') ?? '', from: entry.get('from') ?? '', to: entry.get('to') ?? '', gen: Number(entry.get('gen')), rev: Number(entry.get('rev')) }));
}

/** The moves of one session, oldest first: `hibernated → waking g2`. */
export async function movesOf(lab: Lab, sessionId: string): Promise<readonly string[]> {
  return (await auditOf(lab, sessionId)).map(({ from, to, gen }) => `${from} → ${to} g${gen}`);
}

/**
 * What is wrong with a session's audit chain; nothing when it holds one entry for each move. It begins with the session's
 * creation or, in a Redis that was put together anew, with its adoption, and ends with what the record says, or with its
 * removal. Meant for a session that is at rest.
 */
export async function gapsInAudit(lab: Lab, sessionId: string): Promise<readonly string[]> {
  const chain = await auditOf(lab, sessionId);
  const gaps = chain.flatMap((entry, at) => {
    const before = chain[at - 1];
    if (entry.action === 'adopt' || (entry.action === 'create' && before === undefined)) return [];
    // The removal of a record is no move of its own: it raises no revision.
    const isNext = before?.to === entry.from && before.rev + (entry.action === 'move' ? 1 : 0) === entry.rev;
    return isNext ? [] : [`${entry.action} to "${entry.to}" (rev ${entry.rev}) from "${entry.from}" follows ${toldBy(before)}`];
  });
  const [state, rev] = JSON.parse(await redis(lab, '--json', 'HMGET', `session:${sessionId}`, 'state', 'rev')) as (string | null)[];
  const last = chain.at(-1);
  // Of a session that was removed before Redis was emptied, nothing is told any more.
  const isTold = state === null ? last === undefined || last.action === 'remove' : last !== undefined && last.to === state && last.rev === Number(rev);
  return isTold ? gaps : [...gaps, `the record says ${state ?? 'nothing'} (rev ${rev ?? 'none'}), the last entry ${toldBy(last)}`];
}

const toldBy = (entry: AuditedMove | undefined): string => (entry === undefined ? 'nothing' : `"${entry.to}" (rev ${entry.rev})`);
