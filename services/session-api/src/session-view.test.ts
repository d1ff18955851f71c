import { type SessionRecord, newSessionId, sessionRecordSchema } from '@vibe/contracts';
import { quietAfterMs, viewOf } from './session-view';

const settings = { IDLE_TIMEOUT_MINUTES: 120, VIBE_PUBLIC_HOST: 'localhost:8443' };
const id = newSessionId();
const record = (more: Partial<SessionRecord>): SessionRecord => ({
  ...sessionRecordSchema.parse({ id, user_id: 'ann', name: 'one', state: 'running', rev: 2, gen: 1, created_at: 0, last_activity: 1_000_000, state_since: 0, base_image: 'b' }),
  ...more,
});
const view = (more: Partial<SessionRecord>, at: { nowMs: number; deadlineAt?: number }) => viewOf(record(more), { deadlineAt: null, ...at }, settings);

describe('a session as it is shown', () => {
  it('is quiet after two looks without use, and only when it was looked at', () => {
    const nowMs = 1_000_000 + quietAfterMs(120) + 1;
    expect(view({ looked_at: nowMs }, { nowMs }).idle).toEqual({ is_idle: true, reason: 'quiet' });
    expect(view({ looked_at: nowMs, activity_reason: 'cpu' }, { nowMs: nowMs - 1 }).idle).toEqual({ is_idle: false, reason: 'cpu' });
    expect(view({}, { nowMs }).idle).toEqual({ is_idle: false, reason: 'opened' });
    expect(view({ state: 'hibernated' }, { nowMs }).idle).toEqual({ is_idle: false, reason: 'not_running' });
  });

  it('says when it sleeps while it runs, and when it is deleted while something will delete it', () => {
    expect(view({}, { nowMs: 0, deadlineAt: 5 })).toMatchObject({ sleeps_at: new Date(1_000_000 + 7_200_000).toISOString(), expires_at: null });
    expect(view({ state: 'hibernated' }, { nowMs: 0, deadlineAt: 5 })).toMatchObject({ sleeps_at: null, expires_at: new Date(5).toISOString() });
    expect(view({ state: 'creating' }, { nowMs: 0, deadlineAt: 5 }).expires_at).toBeNull();
  });

  it('tells why it sleeps only while it does, and a wait only until it is over', () => {
    expect(view({ state: 'hibernated', hibernate_reason: 'idle', retry_after: 7 }, { nowMs: 6 })).toMatchObject({ hibernate_reason: 'idle', retry_after: new Date(7).toISOString() });
    expect(view({ hibernate_reason: 'idle', retry_after: 7 }, { nowMs: 7 })).toMatchObject({ hibernate_reason: null, retry_after: null });
  });

  it('tells what may be missing, in whatever state it is', () => {
    for (const state of ['hibernated', 'waking', 'running'] as const) expect(view({ state, may_lack: 'the last hour' }, { nowMs: 0 }).may_lack).toBe('the last hour');
    expect(view({}, { nowMs: 0 }).may_lack).toBeNull();
  });

  it('has the address of its page at the public host', () => {
    expect(view({}, { nowMs: 0 }).terminal_url).toBe(`https://localhost:8443/terminal/${id}`);
  });
});
