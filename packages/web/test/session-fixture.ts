import type { ApiSession } from '@vibe/contracts';

/** The moment the tests play at. */
export const NOW = Date.parse('2026-11-23T12:00:00Z');

export function iso(inMs: number): string {
  return new Date(NOW + inMs).toISOString();
}

export const ID = 'a'.repeat(26);

/** A running session, a key typed three minutes ago; what a test cares about is given. */
export function sessionWith(fields: Partial<ApiSession> = {}): ApiSession {
  return {
    id: ID,
    name: 'Parser work',
    state: 'running',
    generation: 2,
    created_at: iso(-86_400_000),
    last_activity: iso(-3 * 60_000),
    state_since: iso(-3_600_000),
    sleeps_at: iso(117 * 60_000),
    expires_at: null,
    idle: { is_idle: false, reason: 'input' },
    step: null,
    hibernate_reason: null,
    retry_after: null,
    reason: null,
    may_lack: null,
    snapshot_bytes: null,
    terminal_url: `https://localhost/terminal/${ID}`,
    ...fields,
  };
}

/** A clock that a test turns, and what is due on it. */
export class FakeTimers {
  now = NOW;
  private readonly tasks = new Set<{ readonly at: number; readonly task: () => void }>();

  readonly schedule = (ms: number, task: () => void): (() => void) => {
    const entry = { at: this.now + ms, task };
    this.tasks.add(entry);
    return () => this.tasks.delete(entry);
  };

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = [...this.tasks].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.now = next.at;
      this.tasks.delete(next);
      next.task();
    }
    this.now = end;
  }
}
