import type { ApiSession } from '@vibe/contracts';
import { useState } from 'preact/hooks';
import { asFailure } from './api-client';
import type { FeedStatus } from './live-feed';
import { durationWords } from './relative-time';
import { lackWords, sleepsWords, stateWords, useWords } from './session-text';

interface Props {
  readonly session: ApiSession | null;
  readonly feed: FeedStatus;
  readonly now: number;
  readonly onSleep: () => Promise<void>;
}

/** The slim bar above the terminal. */
export function TerminalBar({ session, feed, now, onSleep }: Props) {
  const [wrong, setWrong] = useState('');
  const sleep = async (): Promise<void> => {
    setWrong('');
    try {
      await onSleep();
    } catch (error) {
      setWrong(asFailure(error).message);
    }
  };
  return (
    <header class="bar">
      <a class="button quiet back" href="/terminal/" aria-label="My sessions">← <span class="word">Sessions</span></a>
      {session !== null && <h1 title={session.name}>{session.name}</h1>}
      {session !== null && <span class={`state tone-${stateWords(session.state).tone}`}>{stateWords(session.state).label}</span>}
      <span class="when">
        {wrong !== '' && <span class="stale" role="alert">{wrong} </span>}
        {session?.state === 'running' && lackWords(session) !== '' && <><span class="stale" title={lackWords(session)}>May lack<span class="long"> some</span> work</span> · </>}
        {feed.kind === 'lost' ? <span class="stale" title="The session’s state and times may be old">Not connected</span> : session?.state === 'running' && <Sleeps session={session} now={now} />}
      </span>
      {session?.state === 'running' && <button type="button" class="button" title="Freeze it as it is and store it" onClick={() => void sleep()}>Sleep</button>}
    </header>
  );
}

function Sleeps({ session, now }: { readonly session: ApiSession; readonly now: number }) {
  if (session.sleeps_at === null) return null;
  const left = Date.parse(session.sleeps_at) - now;
  return <span title={`${useWords(session, now)} ${sleepsWords(session, now)}`}><span class="long">sleeps in </span>{durationWords(left)}</span>;
}
