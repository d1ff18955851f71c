import type { ApiSession } from '@vibe/contracts';

/** The part of the browser's EventSource that the feed uses. */
export interface EventStream {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void;
  close(): void;
}

/** `lost`: what is shown may be old, since `since` (ms). */
export type FeedStatus = { readonly kind: 'connecting' } | { readonly kind: 'live' } | { readonly kind: 'lost'; readonly since: number };

export interface LiveFeedOptions {
  readonly openStream: () => EventStream;
  /** Runs `task` once after `ms`; the returned function cancels it. */
  readonly schedule: (ms: number, task: () => void) => () => void;
  readonly now: () => number;
  /** Asked when the service refuses the stream: resolves to false when the person is signed out. Must not reject. */
  readonly isSignedIn: () => Promise<boolean>;
  readonly onSessions: (sessions: ApiSession[]) => void;
  readonly onSession: (session: ApiSession) => void;
  readonly onRemoved: (id: string) => void;
  readonly onStatus: (status: FeedStatus) => void;
  readonly onSignedOut: () => void;
}

export interface LiveFeed {
  readonly start: () => void;
  /** Connects anew at once: the connection may have died unnoticed while the machine slept. Safe to repeat. */
  readonly refresh: () => void;
  readonly stop: () => void;
}

const CLOSED = 2;
const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 30_000;
/** The service ends every stream now and then, and the browser is back at once: no reason to alarm anybody. */
const GRACE_MS = 4_000;

/**
 * One's own sessions, live. A stream that breaks is reopened by the browser; one that the service refuses (a restart,
 * a rebuild) is reopened here, 2, 4, 8 … 30 s later. After every connect the whole list comes again: only then is it live.
 */
export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  let stream: EventStream | null = null;
  let cancelRetry: (() => void) | null = null;
  let retryMs = FIRST_RETRY_MS;
  let lostSince: number | null = null;
  let cancelGrace: (() => void) | null = null;

  function lose(): void {
    if (lostSince !== null) return;
    const since = options.now();
    lostSince = since;
    cancelGrace = options.schedule(GRACE_MS, () => {
      options.onStatus({ kind: 'lost', since });
    });
  }

  function connect(): void {
    disconnect();
    const mine = options.openStream();
    stream = mine;
    const on = (type: string, take: (data: unknown) => void): void => {
      mine.addEventListener(type, ({ data }) => {
        if (stream !== mine || typeof data !== 'string') return;
        take(JSON.parse(data));
      });
    };
    on('sessions', (data) => {
      retryMs = FIRST_RETRY_MS;
      lostSince = null;
      cancelGrace?.();
      options.onSessions((data as { sessions: ApiSession[] }).sessions);
      options.onStatus({ kind: 'live' });
    });
    on('session', (data) => {
      options.onSession((data as { session: ApiSession }).session);
    });
    on('removed', (data) => {
      options.onRemoved((data as { id: string }).id);
    });
    // The service's own `error` events carry data; the browser's do not.
    mine.addEventListener('error', () => {
      if (stream !== mine) return;
      lose();
      if (mine.readyState === CLOSED) void refused();
    });
  }

  async function refused(): Promise<void> {
    const mine = stream;
    const waitMs = retryMs;
    retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    if (!(await options.isSignedIn())) {
      if (stream === mine) options.onSignedOut();
      return;
    }
    if (stream !== mine) return;
    cancelRetry = options.schedule(waitMs, connect);
  }

  function disconnect(): void {
    cancelRetry?.();
    cancelRetry = null;
    stream?.close();
    stream = null;
  }

  return {
    start: () => {
      options.onStatus({ kind: 'connecting' });
      connect();
    },
    refresh: connect,
    stop: () => {
      cancelGrace?.();
      disconnect();
    },
  };
}
