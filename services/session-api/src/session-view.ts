import type { ApiSession, SessionRecord, SessionState } from '@vibe/contracts';
import { originOf } from '@vibe/identity';
import type { ApiParts, ApiSettings } from './api-parts';

/** States that end by being deleted, at the time their deadline names. */
const expiring: ReadonlySet<SessionState> = new Set(['hibernated', 'failed', 'lost']);
const sleeping: ReadonlySet<SessionState> = new Set(['hibernating', 'hibernated']);

const iso = (ms: number): string => new Date(ms).toISOString();

/** How long nobody must have used a session before it is shown as idle, in ms: two looks of the agent. */
export function quietAfterMs(idleTimeoutMinutes: number): number {
  return 2 * Math.min(60_000, (idleTimeoutMinutes * 60_000) / 4);
}

/** A record as the API shows it. Times in ms of Redis' clock; `deadlineAt`: when its state is overdue, null for never. Pure. */
export function viewOf(record: SessionRecord, at: { nowMs: number; deadlineAt: number | null }, settings: Pick<ApiSettings, 'IDLE_TIMEOUT_MINUTES' | 'VIBE_PUBLIC_HOST'>): ApiSession {
  const isRunning = record.state === 'running';
  const isMeasured = record.looked_at !== undefined;
  const isQuiet = isRunning && isMeasured && at.nowMs - record.last_activity > quietAfterMs(settings.IDLE_TIMEOUT_MINUTES);
  return {
    id: record.id,
    name: record.name,
    state: record.state,
    generation: record.gen,
    created_at: iso(record.created_at),
    last_activity: iso(record.last_activity),
    state_since: iso(record.state_since),
    sleeps_at: isRunning ? iso(record.last_activity + settings.IDLE_TIMEOUT_MINUTES * 60_000) : null,
    expires_at: expiring.has(record.state) && at.deadlineAt !== null ? iso(at.deadlineAt) : null,
    idle: { is_idle: isQuiet, reason: !isRunning ? 'not_running' : isQuiet ? 'quiet' : record.activity_reason },
    step: record.step ?? null,
    hibernate_reason: sleeping.has(record.state) ? (record.hibernate_reason ?? null) : null,
    retry_after: record.retry_after !== undefined && record.retry_after > at.nowMs ? iso(record.retry_after) : null,
    reason: record.reason ?? null,
    may_lack: record.may_lack ?? null,
    snapshot_bytes: record.snapshot_bytes ?? null,
    terminal_url: `${originOf(settings.VIBE_PUBLIC_HOST)}/terminal/${record.id}`,
  };
}

/** Shows records as they are now: one look at the clock for all of them. */
export async function viewsOf(parts: Pick<ApiParts, 'store' | 'settings'>, records: readonly SessionRecord[]): Promise<ApiSession[]> {
  const [nowMs, ...deadlines] = await Promise.all([parts.store.now(), ...records.map(({ id }) => parts.store.deadlineOf(id))]);
  return records.map((record, index) => viewOf(record, { nowMs, deadlineAt: deadlines[index] ?? null }, parts.settings));
}

/** Shows one record as it is now. */
export async function viewNow(parts: Pick<ApiParts, 'store' | 'settings'>, record: SessionRecord): Promise<ApiSession> {
  const [view] = await viewsOf(parts, [record]);
  return view as ApiSession;
}
