import type { ApiSession } from '@vibe/contracts';
import { useRef, useState } from 'preact/hooks';
import { asFailure, type ApiFailure } from './api-client';
import { durationWords } from './relative-time';
import { sentence, stateWords } from './session-text';

interface Props {
  /** True when there is no place left: said beforehand, and still allowed, for the service decides. */
  readonly isFull: boolean;
  readonly maxSessions: number | null;
  readonly now: number;
  readonly onCreate: (name: string) => Promise<void>;
}

/** A name that may be left out, one button, and why it did not work. */
export function NewSession({ isFull, maxSessions, now, onCreate }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<{ readonly failure: ApiFailure; readonly at: number } | null>(null);
  const create = async (): Promise<void> => {
    setBusy(true);
    setRefusal(null);
    try {
      await onCreate(input.current?.value.trim() ?? '');
    } catch (error) {
      setRefusal({ failure: asFailure(error), at: now });
    }
    setBusy(false);
  };
  return (
    <div>
      <form
        class="new"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <input class="input" ref={input} aria-label="Name of the new session (optional)" placeholder="Name (optional)" maxLength={60} autocomplete="off" disabled={isBusy} />
        <button type="submit" class="button primary" disabled={isBusy}>{isBusy ? 'Starting …' : 'New session'}</button>
      </form>
      {refusal === null && isFull && maxSessions !== null && <p class="quota full">All {maxSessions} places are taken, sleeping sessions count too. Delete one to make room.</p>}
      {refusal !== null && <Refusal failure={refusal.failure} sinceMs={now - refusal.at} />}
    </div>
  );
}

function Refusal({ failure, sinceMs }: { readonly failure: ApiFailure; readonly sinceMs: number }) {
  const left = failure.retryAfterMs === null ? null : failure.retryAfterMs - sinceMs;
  return (
    <div class="notice bad" role="alert">
      <h2>{titles[failure.code] ?? 'The session was not made'}</h2>
      <p>{sentence(failure.message)}</p>
      {failure.code === 'quota_exceeded' && <ul>{sessionsOf(failure).map((one) => <li key={one.id}>{one.name}: {stateWords(one.state).label.toLowerCase()}</li>)}</ul>}
      {left !== null && <p>{left > 0 ? `Try again in ${durationWords(left)}.` : 'Try again now.'}</p>}
    </div>
  );
}

const titles: Readonly<Partial<Record<ApiFailure['code'], string>>> = {
  quota_exceeded: 'You have as many sessions as you may have',
  no_capacity: 'No machine has room right now',
  rebuilding: 'Vibeswarm is finding its sessions again',
};

function sessionsOf(failure: ApiFailure): readonly ApiSession[] {
  const details = failure.details as { readonly sessions?: readonly ApiSession[] } | undefined;
  return details?.sessions ?? [];
}
