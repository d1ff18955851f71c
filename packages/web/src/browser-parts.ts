import { asFailure, signInUrl, type ApiClient } from './api-client';
import type { EventStream, LiveFeed } from './live-feed';

/** The live events of one's own sessions. */
export function openEventStream(): EventStream {
  return new EventSource('/api/sessions/events');
}

/** Runs `task` once after `ms`; the returned function cancels it. */
export function schedule(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms);
  return () => {
    clearTimeout(timer);
  };
}

/** False only when the service says so: one that cannot be reached has not signed anybody out. */
export async function isSignedIn(api: ApiClient): Promise<boolean> {
  try {
    await api.me();
    return true;
  } catch (error) {
    return asFailure(error).code !== 'unauthenticated';
  }
}

export function goToSignIn(): void {
  location.assign(signInUrl(location.pathname));
}

const LONG_HIDDEN_MS = 60_000;

/** Reconnects the feed where its connection may have died without a word: after sleep, a change of network, a long time in the background. */
export function refreshWhenStale(feed: LiveFeed, now: () => number): void {
  let hiddenSince: number | null = null;
  addEventListener('online', () => {
    feed.refresh();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') hiddenSince = now();
    else if (hiddenSince !== null && now() - hiddenSince > LONG_HIDDEN_MS) feed.refresh();
  });
}
