import type { SessionEvent } from '@vibe/contracts';

/** Thrown into work whose session has moved on: nothing is wrong, somebody else decided. */
export class MovedOn extends Error {
  override readonly name = 'MovedOn';
}

/** The hibernations this agent is busy with, so that a return ends them at once. */
export class WorkUnderWay {
  private readonly work = new Map<string, { rev: number; aborter: AbortController }>();

  /** Begins work on a session at this rev. `signal` also aborts with `stopping`. Call `end` when it is over. */
  begin(sessionId: string, rev: number, stopping: AbortSignal): { signal: AbortSignal; end: () => void } {
    const aborter = new AbortController();
    const entry = { rev, aborter };
    this.work.set(sessionId, entry);
    return {
      signal: AbortSignal.any([aborter.signal, stopping]),
      end: () => {
        if (this.work.get(sessionId) === entry) this.work.delete(sessionId);
      },
    };
  }

  /** A session's record changed: work that started from an older rev is stopped. */
  noticed(event: Pick<SessionEvent, 'session_id' | 'rev'>): void {
    const entry = this.work.get(event.session_id);
    if (entry && event.rev > entry.rev) entry.aborter.abort(new MovedOn(`rev ${event.rev} follows ${entry.rev}`));
  }
}
