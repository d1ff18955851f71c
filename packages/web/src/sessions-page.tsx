import type { ApiSession, Me } from '@vibe/contracts';
import { FirstUse } from './first-use';
import type { FeedStatus } from './live-feed';
import { NewSession } from './new-session';
import { clockWords, durationWords } from './relative-time';
import type { ServerClock } from './server-clock';
import { SessionCard, type CardActions } from './session-card';
import { placesTaken } from './session-list';
import { useNow } from './use-now';

export interface SessionsView {
  readonly me: Me | null;
  /** null until the first list came. */
  readonly sessions: readonly ApiSession[] | null;
  readonly feed: FeedStatus;
}

interface Props extends SessionsView {
  readonly clock: ServerClock;
  readonly iconUrl: string;
  readonly actions: CardActions & { readonly create: (name: string) => Promise<void> };
}

/** The page "My sessions". */
export function SessionsPage({ me, sessions, feed, clock, iconUrl, actions }: Props) {
  const now = useNow(clock);
  const max = me?.limits.max_sessions ?? null;
  const taken = sessions === null ? 0 : placesTaken(sessions);
  return (
    <div class="page">
      <header class="top">
        <a class="brand" href="/terminal/"><img src={iconUrl} width="26" height="26" alt="" />Vibeswarm</a>
        {me !== null && <span class="who">{me.user_id}</span>}
        <form method="post" action="/sign-out"><button type="submit" class="button quiet">Sign out</button></form>
      </header>
      <main class="stack">
        <FirstUse />
        <Lost feed={feed} now={now} />
        <div>
          <div class="heading">
            <h1>My sessions</h1>
            {max !== null && sessions !== null && <span class="quota">{taken} of {max}</span>}
          </div>
          <NewSession isFull={max !== null && taken >= max} maxSessions={max} now={now} onCreate={actions.create} />
        </div>
        {sessions === null && feed.kind !== 'lost' && <p class="quota" role="status">Loading …</p>}
        {sessions?.length === 0 && <Empty me={me} />}
        {sessions !== null && sessions.length > 0 && (
          <ul class={feed.kind === 'lost' ? 'cards old' : 'cards'}>
            {sessions.map((session) => <SessionCard key={session.id} session={session} now={now} actions={actions} />)}
          </ul>
        )}
      </main>
    </div>
  );
}

function Lost({ feed, now }: { readonly feed: FeedStatus; readonly now: number }) {
  if (feed.kind !== 'lost') return null;
  return (
    <div class="notice bad" role="status">
      <h2>Not connected</h2>
      <p>What is shown here may be old, from before {clockWords(feed.since, now)}. The page keeps trying.</p>
    </div>
  );
}

function Empty({ me }: { readonly me: Me | null }) {
  const idle = me === null ? null : durationWords(me.limits.idle_timeout_minutes * 60_000);
  const kept = me === null ? null : durationWords(me.limits.hibernated_ttl_days * 86_400_000);
  return (
    <div class="empty">
      <h2>No session yet</h2>
      <p>A session is a Linux terminal of your own.{idle !== null && kept !== null && ` It falls asleep after ${idle} without use, comes back as it was when you open it, and is deleted after ${kept} asleep.`}</p>
    </div>
  );
}
