import type { ApiSession } from '@vibe/contracts';
import { agoWords, bytesWords, clockWords, durationWords } from './relative-time';

type State = ApiSession['state'];
type Step = NonNullable<ApiSession['step']>;

/** The mood a state is drawn in. */
export type Tone = 'good' | 'busy' | 'asleep' | 'bad';

const states: Readonly<Record<State, { readonly label: string; readonly tone: Tone }>> = {
  creating: { label: 'Starting', tone: 'busy' },
  running: { label: 'Running', tone: 'good' },
  hibernating: { label: 'Falling asleep', tone: 'busy' },
  hibernated: { label: 'Asleep', tone: 'asleep' },
  waking: { label: 'Waking up', tone: 'busy' },
  failed: { label: 'Failed', tone: 'bad' },
  lost: { label: 'Lost', tone: 'bad' },
  deleting: { label: 'Being deleted', tone: 'busy' },
};

const steps: Readonly<Record<Step, string>> = {
  queued: 'Waiting in line',
  asked: 'Finding a machine with room',
  starting: 'Starting the container',
  saving: 'Saving the shell’s screen and directory',
  freezing: 'Freezing every program',
  committing: 'Taking the snapshot',
  pushing: 'Storing the snapshot',
  proving: 'Checking that the snapshot is whole',
  erasing: 'Erasing its data',
};

const sleepReasons: Readonly<Record<NonNullable<ApiSession['hibernate_reason']>, string>> = {
  idle: 'nobody used it',
  asked: 'you asked for it',
  ended: 'its machine stopped it',
};

/** The state in one or two words, and its mood. */
export function stateWords(state: State): { readonly label: string; readonly tone: Tone } {
  return states[state];
}

/** What a piece of work is doing, as a line of a list. */
export function stepWords(step: Step): string {
  return steps[step];
}

/** Why it counts as used, or since when it does not: one sentence. `now` in ms. */
export function useWords(session: ApiSession, now: number): string {
  const at = Date.parse(session.last_activity);
  switch (session.idle.reason) {
    case 'opened':
      return `In use: opened ${agoWords(at, now)}.`;
    case 'input':
      return `In use: last key ${agoWords(at, now)}.`;
    case 'cpu':
      return `In use: a program worked ${agoWords(at, now)}.`;
    case 'unmeasured':
      return 'Its use could not be measured, so it counts as in use.';
    case 'quiet':
      return `Idle: nothing typed and no program busy for ${durationWords(now - at)}.`;
    case 'not_running':
      return '';
  }
}

/** When it will fall asleep if nothing happens; empty when it is not running. */
export function sleepsWords(session: ApiSession, now: number): string {
  if (session.sleeps_at === null) return '';
  const at = Date.parse(session.sleeps_at);
  if (at <= now) return 'Due to sleep now.';
  return `Sleeps in ${durationWords(at - now)} (${clockWords(at, now)}) if not used.`;
}

/** When it will be deleted; empty when nothing will delete it. */
export function expiresWords(session: ApiSession, now: number): string {
  if (session.expires_at === null) return '';
  const at = Date.parse(session.expires_at);
  if (at <= now) return session.state === 'hibernated' ? 'Due to be deleted now.' : 'This entry is about to disappear.';
  const when = `in ${durationWords(at - now)} (${clockWords(at, now)})`;
  return session.state === 'hibernated' ? `Deleted ${when} unless opened.` : `This entry disappears ${when}.`;
}

/** Why it is being put to sleep, e.g. "because nobody used it"; empty when unknown. */
export function sleepReasonWords(session: ApiSession): string {
  return session.hibernate_reason === null ? '' : `because ${sleepReasons[session.hibernate_reason]}`;
}

/** What may be missing in it, one sentence; empty when it is as it was left. */
export function lackWords(session: ApiSession): string {
  return sentence(session.may_lack ?? '');
}

/** Everything a person should know about a session, a few sentences in order of weight. `now` in ms. */
export function sessionLines(session: ApiSession, now: number): string[] {
  return linesOf(session, now).filter((line) => line !== '');
}

function linesOf(session: ApiSession, now: number): string[] {
  const since = Date.parse(session.state_since);
  const working = `${session.step === null ? 'Under way' : stepWords(session.step)} … ${durationWords(now - since)}`;
  switch (session.state) {
    case 'creating':
    case 'deleting':
      return [working];
    case 'waking':
      return [working, lackWords(session)];
    case 'running':
      return [useWords(session, now), sleepsWords(session, now), stayedAwake(session, now), lackWords(session)];
    case 'hibernating':
      return [working, sleepLine(session), lackWords(session)];
    case 'hibernated': {
      const size = session.snapshot_bytes === null ? '' : `, ${bytesWords(session.snapshot_bytes)} stored`;
      return [`Asleep since ${clockWords(since, now)}${size}.`, sentence(session.reason ?? ''), lackWords(session), expiresWords(session, now)];
    }
    case 'lost':
      return [sentence(session.reason ?? 'Its container or its machine died'), 'Its data is gone and cannot be brought back.', expiresWords(session, now)];
    case 'failed':
      return [sentence(session.reason ?? 'It could not be started'), 'It never held any data.', expiresWords(session, now)];
  }
}

function sleepLine(session: ApiSession): string {
  if (session.hibernate_reason === null) return '';
  return session.hibernate_reason === 'ended' ? sentence(session.reason ?? '') : `It sleeps ${sleepReasonWords(session)}. Opening it now keeps it awake.`;
}

function stayedAwake(session: ApiSession, now: number): string {
  if (session.reason === null) return '';
  const next = session.retry_after === null ? NaN : Date.parse(session.retry_after);
  return `${sentence(session.reason)}${next > now ? ` Next try in ${durationWords(next - now)}.` : ''}`;
}

/** A reason of the service as a sentence: first letter large, one full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim().replace(/[.\s]+$/u, '');
  return trimmed === '' ? '' : `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}.`;
}
