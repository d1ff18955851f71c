import type { ApiSession } from '@vibe/contracts';
import { render } from 'preact';
import { asFailure, createApiClient } from './api-client';
import { goToSignIn, isSignedIn, openEventStream, refreshWhenStale, schedule } from './browser-parts';
import iconUrl from './icon.svg';
import { createLiveFeed } from './live-feed';
import { createServerClock } from './server-clock';
import { inOrder, withAnswer, withoutSession, withSession } from './session-list';
import { SessionsPage, type SessionsView } from './sessions-page';

const now = (): number => Date.now();
const clock = createServerClock(now);
const api = createApiClient({ fetch: fetch.bind(window), clock });
const root = document.querySelector('#app') ?? document.body;

let view: SessionsView = { me: null, sessions: null, feed: { kind: 'connecting' } };

function show(change: Partial<SessionsView>): void {
  view = { ...view, ...change };
  render(<SessionsPage {...view} clock={clock} iconUrl={iconUrl} actions={actions} />, root);
}

/** A refused call of a signed-out person leads to the sign-in page; every other error is shown where it happened. */
async function asked<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    const failure = asFailure(error);
    if (failure.code === 'unauthenticated') goToSignIn();
    throw failure;
  }
}

function takeAnswer(answer: ApiSession): void {
  const list = view.sessions ?? [];
  const known = list.find((one) => one.id === answer.id) ?? null;
  show({ sessions: withSession(list, withAnswer(known, answer)) });
}

const actions = {
  create: async (name: string): Promise<void> => {
    const session = await asked(api.create(name));
    location.assign(`/terminal/${session.id}`);
  },
  rename: async ({ id }: { id: string }, name: string): Promise<void> => {
    takeAnswer(await asked(api.rename(id, name)));
  },
  hibernate: async ({ id }: { id: string }): Promise<void> => {
    takeAnswer(await asked(api.hibernate(id)));
  },
  remove: async ({ id }: { id: string }): Promise<void> => {
    await asked(api.remove(id));
  },
};

async function loadMe(): Promise<void> {
  try {
    show({ me: await asked(api.me()) });
  } catch {
    // Said by the feed's state; asked again when the feed is back.
  }
}

const feed = createLiveFeed({
  openStream: openEventStream,
  schedule,
  now: clock.now,
  isSignedIn: () => isSignedIn(api),
  onSessions: (sessions) => {
    show({ sessions: inOrder(sessions) });
    if (view.me === null) void loadMe();
  },
  onSession: (session) => {
    show({ sessions: withSession(view.sessions ?? [], session) });
  },
  onRemoved: (id) => {
    show({ sessions: withoutSession(view.sessions ?? [], id) });
  },
  onStatus: (status) => {
    show({ feed: status });
  },
  onSignedOut: goToSignIn,
});

void loadMe();
feed.start();
refreshWhenStale(feed, now);
