import type { ApiSession } from '@vibe/contracts';
import type { ApiFailure, FailureCode } from './api-client';
import { withAnswer } from './session-list';

/** Where the terminal of one generation is. */
export interface LiveTerminal {
  readonly path: string;
  readonly authToken: string;
  readonly generation: number;
}

/**
 * What the terminal page knows of its session and of the person in front of it. The rule it keeps: `open` is called
 * once a visit (page loaded, or brought to the front) and on a key or click while there is no terminal to type in, plus
 * to finish or repeat an open that was asked for so and only while the page is looked at. Never because of a socket, an
 * event alone, or a page nobody sees: every `open` counts as use, and would keep or wake what nobody wants.
 */
export interface Visit {
  /** The page is in front of the person: visible, and not loaded in advance. */
  readonly isVisible: boolean;
  /** An open is on its way to the service. */
  readonly isAsking: boolean;
  /** The person asked for the terminal and has not got it yet. */
  readonly isWanted: boolean;
  readonly session: ApiSession | null;
  readonly terminal: LiveTerminal | null;
  /** Attempts of this visit that did not lead to a terminal. */
  readonly failedTries: number;
  /** When the open is repeated (service time in ms); null = nothing is due. */
  readonly retryAt: number | null;
  readonly failure: ApiFailure | null;
  readonly end: 'gone' | 'signed_out' | null;
}

export type VisitInput =
  | { readonly type: 'arrived' | 'left' | 'pressed' | 'retry_due' | 'removed' | 'signed_out' }
  | { readonly type: 'ready'; readonly session: ApiSession; readonly terminal: LiveTerminal }
  | { readonly type: 'coming' | 'changed' | 'put_to_sleep'; readonly session: ApiSession }
  | { readonly type: 'refused'; readonly failure: ApiFailure };

/** The next sight of things, and whether the page must call `open` now. */
export interface Advance {
  readonly visit: Visit;
  readonly mustOpen: boolean;
}

export const newVisit: Visit = { isVisible: false, isAsking: false, isWanted: false, session: null, terminal: null, failedTries: 0, retryAt: null, failure: null, end: null };

/** Waits between the tries of one visit; after the last the page asks for a key. */
export const RETRY_MS = [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000, 60_000] as const;
/** An answer "on its way" for a session that is already running: the service was about to move. */
const ALMOST_MS = 1_000;

const worthRepeating: ReadonlySet<FailureCode> = new Set(['offline', 'unexpected', 'internal', 'bad_gateway', 'no_capacity', 'rebuilding', 'unavailable']);
const endStates: ReadonlySet<ApiSession['state']> = new Set(['failed', 'lost', 'deleting']);

/** True when the terminal at hand is the one of the session that runs now: what is typed reaches the shell. */
export function isLive(visit: Visit): boolean {
  return visit.end === null && visit.session?.state === 'running' && visit.terminal?.generation === visit.session.generation;
}

/** What to do with the socket: `connect` and keep it, `hold` (no new one; frozen, but a cancel brings the same shell back) or `drop`. */
export function socketWish(visit: Visit): 'connect' | 'hold' | 'drop' {
  if (isLive(visit)) return 'connect';
  const { session, terminal } = visit;
  return visit.end === null && session?.state === 'hibernating' && terminal?.generation === session.generation ? 'hold' : 'drop';
}

/** One step: pure, so that the rule above can be read and tested. `now` is the service's time in ms. */
export function advance(visit: Visit, input: VisitInput, now: number): Advance {
  switch (input.type) {
    case 'arrived':
      return ask({ ...visit, isVisible: true, failedTries: 0 });
    case 'left':
      return { visit: { ...visit, isVisible: false }, mustOpen: false };
    case 'pressed':
      return isLive(visit) || isOnItsWay(visit) ? { visit, mustOpen: false } : ask({ ...visit, failedTries: 0 });
    case 'retry_due':
      if (!visit.isVisible || !visit.isWanted || visit.retryAt === null || visit.retryAt > now) return { visit, mustOpen: false };
      return ask(visit);
    case 'put_to_sleep':
      return { visit: { ...visit, isWanted: false, retryAt: null, failure: null, session: withAnswer(visit.session, input.session) }, mustOpen: false };
    case 'ready':
      return settle({ ...visit, isAsking: false, isWanted: false, failedTries: 0, retryAt: null, failure: null, end: null, session: withAnswer(visit.session, input.session), terminal: input.terminal }, now);
    case 'coming': {
      const session = withAnswer(visit.session, input.session);
      const retryAt = session.state === 'running' ? now + ALMOST_MS : null;
      return settle({ ...visit, isAsking: false, isWanted: true, failure: null, session, retryAt }, now);
    }
    case 'refused':
      return { visit: refuse({ ...visit, isAsking: false }, input.failure, now), mustOpen: false };
    case 'changed':
      return settle({ ...visit, end: visit.end === 'gone' ? null : visit.end, session: input.session }, now);
    case 'removed':
      return { visit: { ...visit, isWanted: false, retryAt: null, end: 'gone' }, mustOpen: false };
    case 'signed_out':
      return { visit: { ...visit, isWanted: false, retryAt: null, end: 'signed_out' }, mustOpen: false };
  }
}

/** The person is here and wants the terminal: one open, unless one is under way or there is nothing to open. */
function ask(visit: Visit): Advance {
  if (visit.end !== null || (visit.session !== null && endStates.has(visit.session.state))) return { visit, mustOpen: false };
  const asking = { ...visit, isWanted: visit.isWanted || !isLive(visit), isAsking: true, retryAt: null };
  return { visit: asking, mustOpen: !visit.isAsking };
}

/** The person's wish was heard, and the service is at work on it. */
function isOnItsWay({ isAsking, isWanted, session }: Visit): boolean {
  return isAsking || (isWanted && (session?.state === 'waking' || session?.state === 'creating'));
}

/** What a new sight of the session means for a wish that is still open. */
function settle(visit: Visit, now: number): Advance {
  const { session } = visit;
  if (session === null || !visit.isWanted || visit.isAsking || visit.end !== null) return { visit, mustOpen: false };
  switch (session.state) {
    case 'running':
      // It runs, and only `open` tells where: the second half of the open that the person asked for. Unseen, it waits for them.
      if (isLive(visit)) return { visit: { ...visit, isWanted: false, retryAt: null }, mustOpen: false };
      return visit.isVisible && visit.retryAt === null ? ask(visit) : { visit, mustOpen: false };
    case 'hibernated':
      return { visit: visit.retryAt === null ? plan(visit, retryAfter(session), now) : visit, mustOpen: false };
    case 'creating':
    case 'waking':
    case 'hibernating':
      return { visit: { ...visit, retryAt: null }, mustOpen: false };
    case 'failed':
    case 'lost':
    case 'deleting':
      return { visit: { ...visit, isWanted: false, retryAt: null }, mustOpen: false };
  }
}

function retryAfter(session: ApiSession): number {
  return session.retry_after === null ? 0 : Date.parse(session.retry_after);
}

function refuse(visit: Visit, failure: ApiFailure, now: number): Visit {
  if (failure.code === 'unauthenticated') return { ...visit, isWanted: false, retryAt: null, end: 'signed_out' };
  if (failure.code === 'not_found') return { ...visit, isWanted: false, retryAt: null, end: 'gone' };
  // A visit to a terminal that works only meant to tell that somebody is here.
  if (isLive(visit) && !visit.isWanted) return visit;
  if (!worthRepeating.has(failure.code)) return { ...visit, isWanted: false, retryAt: null, failure };
  return plan({ ...visit, isWanted: true, failure }, now + (failure.retryAfterMs ?? 0), now);
}

/** The next try, not before `earliest`; after the last one the wish is dropped and a key brings it back. */
function plan(visit: Visit, earliest: number, now: number): Visit {
  const waitMs = RETRY_MS[visit.failedTries];
  if (waitMs === undefined) return { ...visit, isWanted: false, retryAt: null };
  return { ...visit, failedTries: visit.failedTries + 1, retryAt: Math.max(earliest, now + waitMs) };
}
