import type { ApiSession } from '@vibe/contracts';

type Listener = (event: 'session' | 'removed', data: unknown) => void;
type Work = { readonly steps: readonly NonNullable<ApiSession['step']>[]; readonly end: Partial<ApiSession> | null };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Sessions that behave like real ones, in memory, with steps of `stepMs` each. */
export class MockSessions {
  private readonly sessions = new Map<string, ApiSession>();
  private readonly work = new Map<string, NodeJS.Timeout>();
  private readonly listeners = new Set<Listener>();
  private made = 0;

  constructor(private readonly stepMs: number) {}

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  list(): ApiSession[] {
    return [...this.sessions.values()];
  }

  get(id: string): ApiSession | undefined {
    return this.sessions.get(id);
  }

  /** Puts a session as a scene needs it; what is not given is that of one that has run for a while. */
  put(change: Partial<ApiSession> & { readonly id: string }): ApiSession {
    this.stop(change.id);
    const known = this.sessions.get(change.id) ?? blank(change.id);
    return this.set({ ...known, ...change });
  }

  create(name: string | undefined): ApiSession {
    this.made += 1;
    const id = `made${String(this.made)}`.padEnd(26, 'x');
    const session = this.set({ ...blank(id), name: name ?? `Session ${String(this.made)}`, state: 'creating', step: 'queued', created_at: iso(0), state_since: iso(0), ...asleepFields });
    this.run(session, { steps: ['queued', 'asked', 'starting'], end: runningFields('opened') });
    return session;
  }

  rename(id: string, name: string): ApiSession | undefined {
    const session = this.sessions.get(id);
    return session === undefined ? undefined : this.set({ ...session, name });
  }

  /** As the service does: wakes, cancels a sleep, or only notes the use. */
  open(session: ApiSession): ApiSession {
    if (session.hibernate_reason === 'ended' && session.state === 'hibernating') return session;
    if (session.state === 'running' || session.state === 'hibernating') {
      this.stop(session.id);
      return this.set({ ...session, ...runningFields('opened'), state_since: session.state === 'running' ? session.state_since : iso(0) });
    }
    if (session.state !== 'hibernated') return session;
    const waking = this.set({ ...session, ...asleepFields, state: 'waking', state_since: iso(0), generation: session.generation + 1, step: 'queued', expires_at: null });
    this.run(waking, { steps: ['queued', 'asked', 'starting'], end: runningFields('opened') });
    return waking;
  }

  hibernate(session: ApiSession): ApiSession {
    if (session.state !== 'running') return session;
    const sleeping = this.set({ ...session, ...asleepFields, state: 'hibernating', state_since: iso(0), step: 'queued', hibernate_reason: 'asked' });
    this.run(sleeping, { steps: ['queued', 'saving', 'freezing', 'committing', 'pushing', 'proving'], end: { ...asleepFields, state: 'hibernated', step: null, snapshot_bytes: 148_400_000, expires_at: iso(7 * DAY_MS) } });
    return sleeping;
  }

  remove(session: ApiSession): ApiSession {
    const deleting = this.set({ ...session, ...asleepFields, state: 'deleting', state_since: iso(0), step: 'erasing', expires_at: null });
    this.run(deleting, { steps: ['erasing', 'erasing'], end: null });
    return deleting;
  }

  private run({ id }: ApiSession, { steps, end }: Work): void {
    this.stop(id);
    const [step, ...later] = steps;
    const next = (): void => {
      const session = this.sessions.get(id);
      if (session === undefined) return;
      if (step !== undefined) {
        this.set({ ...session, step });
        this.run(session, { steps: later, end });
      } else if (end !== null) this.set({ ...session, ...end, state_since: iso(0) });
      else {
        this.sessions.delete(id);
        this.tell('removed', { id });
      }
    };
    this.work.set(id, setTimeout(next, this.stepMs));
  }

  private stop(id: string): void {
    clearTimeout(this.work.get(id));
  }

  private set(session: ApiSession): ApiSession {
    this.sessions.set(session.id, session);
    this.tell('session', { session });
    return session;
  }

  private tell(event: 'session' | 'removed', data: unknown): void {
    for (const listener of this.listeners) listener(event, data);
  }
}

function iso(inMs: number): string {
  return new Date(Date.now() + inMs).toISOString();
}

const asleepFields = { idle: { is_idle: false, reason: 'not_running' }, sleeps_at: null, hibernate_reason: null, reason: null, retry_after: null } as const;

function runningFields(reason: ApiSession['idle']['reason']): Partial<ApiSession> {
  return { state: 'running', step: null, hibernate_reason: null, reason: null, retry_after: null, expires_at: null, last_activity: iso(0), state_since: iso(0), sleeps_at: iso(120 * MINUTE_MS), idle: { is_idle: false, reason } };
}

function blank(id: string): ApiSession {
  return {
    id,
    name: 'Session',
    generation: 1,
    created_at: iso(-3 * DAY_MS),
    step: null,
    hibernate_reason: null,
    retry_after: null,
    reason: null,
    may_lack: null,
    snapshot_bytes: null,
    terminal_url: `/terminal/${id}`,
    expires_at: null,
    state: 'running',
    last_activity: iso(-3 * MINUTE_MS),
    state_since: iso(-50 * MINUTE_MS),
    sleeps_at: iso(117 * MINUTE_MS),
    idle: { is_idle: false, reason: 'input' },
  };
}
