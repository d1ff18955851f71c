import type { ApiSession } from '@vibe/contracts';
import { bytesWords, clockWords } from './relative-time';
import { expiresWords, lackWords, sentence, sleepReasonWords } from './session-text';
import { trailLines, type StepLine, type StepTrail } from './step-trail';
import type { SocketStatus } from './ttyd-client';
import { isLive, type Visit } from './visit';

/** What lies over the terminal; `terminal`: nothing does, and what is typed reaches the shell. */
export type Screen =
  | { readonly kind: 'terminal' }
  | {
      readonly kind: 'card';
      /** A stable name of what is shown, for styles and tests. */
      readonly name: 'opening' | 'starting' | 'waking' | 'connecting' | 'reconnecting' | 'sleeping' | 'asleep' | 'retrying' | 'elsewhere' | 'refused' | 'lost' | 'failed' | 'deleting' | 'gone' | 'signed_out';
      readonly title: string;
      readonly lines: readonly string[];
      readonly steps: readonly StepLine[];
      /** What a key or a click does now; empty when it does nothing. */
      readonly hint: string;
      /** The terminal's last picture stays visible behind the card. */
      readonly isGlass: boolean;
      readonly isWorking: boolean;
      /** Where the person can go from here. */
      readonly way: 'sessions' | 'sign_in' | null;
    };

type Card = Extract<Screen, { kind: 'card' }>;

function card(name: Card['name'], title: string, rest: Partial<Omit<Card, 'kind' | 'name' | 'title'>> = {}): Card {
  const lines = (rest.lines ?? []).filter((line) => line !== '');
  return { kind: 'card', name, title, steps: [], hint: '', isGlass: false, isWorking: false, way: null, ...rest, lines };
}

export interface Sight {
  readonly visit: Visit;
  readonly socket: SocketStatus;
  readonly trail: StepTrail | null;
  /** The service's time, ms. */
  readonly now: number;
}

/** What the person sees: a pure function of what is known. */
export function screenOf(sight: Sight): Screen {
  const { visit, trail, now } = sight;
  if (visit.end === 'gone') return card('gone', 'This session is gone', { lines: ['It was deleted, or there never was one at this address.', 'Data of a deleted session cannot be brought back.'], way: 'sessions' });
  if (visit.end === 'signed_out') return card('signed_out', 'You are signed out', { lines: ['Your session goes on as it was. Sign in to return to it.'], way: 'sign_in' });
  const { session } = visit;
  if (session === null) return unknown(visit, now);
  const steps = trail === null ? [] : trailLines(trail, now);
  switch (session.state) {
    case 'creating':
      return card('starting', 'Starting your terminal', { steps, isWorking: true });
    case 'waking':
      return card('waking', 'Waking up', { steps, lines: [wakeWords(session), lackWords(session)], isWorking: true });
    case 'running':
      return running(sight);
    case 'hibernating':
      return sleeping(visit, session, steps);
    case 'hibernated':
      return asleep(visit, session, now);
    case 'lost':
      return card('lost', 'This session is lost', { lines: [sentence(session.reason ?? 'Its container or its machine died'), 'Its data is gone and cannot be brought back.', expiresWords(session, now)], way: 'sessions' });
    case 'failed':
      return card('failed', 'It could not be started', { lines: [sentence(session.reason ?? ''), 'It never held any data. Delete it and start a new one.'], way: 'sessions' });
    case 'deleting':
      return card('deleting', 'Being deleted', { lines: ['Its data is erased from every machine. This cannot be stopped.'], isWorking: true, way: 'sessions' });
  }
}

function wakeWords(session: ApiSession): string {
  const asWhen = lackWords(session) === '' ? 'as you left them' : 'as they were when it last fell asleep';
  return `Files, screen, directories and history come back ${asWhen}. Programs that ran do not.`;
}

function unknown(visit: Visit, now: number): Card {
  if (visit.retryAt !== null) return retrying(visit, now, 'Not reached yet', '');
  if (visit.failure !== null) return card('refused', 'It could not be opened', { lines: [sentence(visit.failure.message)], hint: 'Press a key or click to try again', way: 'sessions' });
  return card('opening', 'Opening', { isWorking: true });
}

function running({ visit, socket, trail, now }: Sight): Screen {
  const steps = trail === null ? [] : trailLines(trail, now);
  const connecting = card('connecting', steps.length === 0 ? 'Connecting' : 'Almost there', { steps, isWorking: true });
  if (isLive(visit)) {
    if (socket.kind === 'open') return { kind: 'terminal' };
    if (socket.kind === 'waiting' || (socket.kind === 'connecting' && socket.attempt > 0)) return reconnecting(socket, now);
    return connecting;
  }
  if (visit.isAsking || (visit.isWanted && visit.failure === null)) return connecting;
  if (visit.retryAt !== null) return retrying(visit, now, 'Not connected yet', '');
  if (visit.failure !== null) return card('refused', 'It could not be opened', { lines: [sentence(visit.failure.message)], hint: 'Press a key or click to try again', way: 'sessions' });
  return card('elsewhere', 'Awake again', { lines: ['It was opened from another page or machine.'], hint: 'Press a key or click to go on here' });
}

function reconnecting(socket: SocketStatus, now: number): Card {
  const wait = socket.kind === 'waiting' ? Math.ceil((socket.until - now) / 1_000) : 0;
  const lines = ['The shell goes on without this page. Nothing typed now reaches it.', wait > 0 ? `Trying again in ${String(wait)} s.` : 'Trying now …'];
  return card('reconnecting', 'Connection lost', { lines, isGlass: true, isWorking: true });
}

function sleeping(visit: Visit, session: ApiSession, steps: readonly StepLine[]): Card {
  if (session.hibernate_reason === 'ended') {
    const hint = visit.isAsking || visit.isWanted ? 'It opens again by itself as soon as that is done' : 'Press a key or click to open it as soon as that is done';
    return card('sleeping', 'Being saved', { lines: [sentence(session.reason ?? '')], steps, hint, isGlass: true, isWorking: true });
  }
  if (visit.isAsking || visit.isWanted) return card('sleeping', 'Staying awake', { lines: ['Stopping its way to sleep …'], isGlass: true, isWorking: true });
  const why = sleepReasonWords(session);
  return card('sleeping', 'Falling asleep', { lines: [why === '' ? '' : sentence(why)], steps, hint: 'Press a key or click to stay awake', isGlass: true, isWorking: true });
}

function asleep(visit: Visit, session: ApiSession, now: number): Card {
  // Asked and not refused: the service moves it on in a moment, or starts it anew on another machine.
  const isBetween = visit.isWanted && visit.failure === null && session.reason === null;
  if (visit.isAsking || isBetween) return card('waking', 'Waking up', { lines: [lackWords(session)], isWorking: true });
  if (visit.retryAt !== null) return retrying(visit, now, 'It did not wake up', session.reason ?? '');
  const why = sleepReasonWords(session);
  const size = session.snapshot_bytes === null ? '' : ` ${bytesWords(session.snapshot_bytes)} are stored.`;
  const since = `Since ${clockWords(Date.parse(session.state_since), now)}${why === '' ? '' : `, ${why}`}.${size}`;
  const failure = visit.failure?.message ?? session.reason ?? '';
  return card('asleep', 'Asleep', { lines: [since, sentence(failure), lackWords(session), expiresWords(session, now)], hint: 'Press a key or click to wake it', way: 'sessions' });
}

function retrying(visit: Visit, now: number, title: string, reason: string): Card {
  const wait = Math.max(0, Math.ceil(((visit.retryAt ?? now) - now) / 1_000));
  return card('retrying', title, {
    lines: [sentence(visit.failure?.message ?? reason), visit.isAsking || wait === 0 ? 'Trying now …' : `Trying again in ${String(wait)} s, while you look at this page.`],
    hint: 'Press a key or click to try now',
    isWorking: true,
    way: 'sessions',
  });
}
