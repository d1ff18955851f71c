import { FakeTimers, ID, NOW, sessionWith } from '../test/session-fixture';
import { createLiveFeed, type EventStream, type FeedStatus } from './live-feed';

class FakeStream implements EventStream {
  readyState = 1;
  isClosed = false;
  private readonly listeners = new Map<string, (event: { data?: unknown }) => void>();

  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void {
    this.listeners.set(type, listener);
  }

  close(): void {
    this.isClosed = true;
  }

  tell(type: string, data?: unknown): void {
    this.listeners.get(type)?.({ data: data === undefined ? undefined : JSON.stringify(data) });
  }

  fail(readyState: 0 | 2): void {
    this.readyState = readyState;
    this.tell('error');
  }
}

function setUp(isSignedIn = true) {
  const timers = new FakeTimers();
  const streams: FakeStream[] = [];
  const told: unknown[] = [];
  const statuses: FeedStatus[] = [];
  const feed = createLiveFeed({
    openStream: () => {
      const stream = new FakeStream();
      streams.push(stream);
      return stream;
    },
    schedule: timers.schedule,
    now: () => timers.now,
    isSignedIn: () => Promise.resolve(isSignedIn),
    onSessions: (sessions) => told.push(sessions.map((one) => one.id)),
    onSession: (session) => told.push(session.state),
    onRemoved: (id) => told.push(`removed ${id}`),
    onStatus: (status) => statuses.push(status),
    onSignedOut: () => told.push('signed out'),
  });
  feed.start();
  const last = (): FakeStream => streams[streams.length - 1] as FakeStream;
  return { feed, timers, streams, told, statuses, last };
}

/** Lets promises that are already settled be heard. */
const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

it('is live when the whole list has come, and passes every change on', () => {
  const { last, told, statuses } = setUp();
  expect(statuses).toEqual([{ kind: 'connecting' }]);
  last().tell('sessions', { sessions: [sessionWith()] });
  last().tell('session', { session: sessionWith({ state: 'hibernating' }) });
  last().tell('removed', { id: ID });
  expect(told).toEqual([[ID], 'hibernating', `removed ${ID}`]);
  expect(statuses.at(-1)).toEqual({ kind: 'live' });
});

it('says nothing of a break that is over in a moment', () => {
  const { last, timers, statuses } = setUp();
  last().tell('sessions', { sessions: [] });
  last().fail(0);
  timers.pass(3_000);
  last().tell('sessions', { sessions: [] });
  timers.pass(60_000);
  expect(statuses.map((status) => status.kind)).toEqual(['connecting', 'live', 'live']);
});

it('says since when the list may be old, until the whole list has come again', () => {
  const { last, timers, statuses, streams } = setUp();
  last().tell('sessions', { sessions: [] });
  last().fail(0);
  timers.pass(4_000);
  last().fail(0);
  timers.pass(4_000);
  expect(statuses.slice(2)).toEqual([{ kind: 'lost', since: NOW }]);
  expect(streams).toHaveLength(1);
  last().tell('sessions', { sessions: [] });
  expect(statuses.at(-1)).toEqual({ kind: 'live' });
});

it('opens a refused stream again by itself, slower each time', async () => {
  const { last, timers, streams } = setUp();
  for (const wait of [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    const before = streams.length;
    last().fail(2);
    await settled();
    timers.pass(wait - 1);
    expect(streams).toHaveLength(before);
    timers.pass(1);
    expect(streams).toHaveLength(before + 1);
  }
});

it('tells when it was refused because nobody is signed in, and stops', async () => {
  const { last, timers, streams, told } = setUp(false);
  last().fail(2);
  await settled();
  timers.pass(600_000);
  expect(told).toEqual(['signed out']);
  expect(streams).toHaveLength(1);
});

it('hears only the newest stream after a refresh, and none after a stop', () => {
  const { feed, streams, told, last } = setUp();
  feed.refresh();
  streams[0]?.tell('sessions', { sessions: [] });
  expect(told).toEqual([]);
  expect(streams[0]?.isClosed).toBe(true);
  last().tell('sessions', { sessions: [] });
  feed.stop();
  last().tell('removed', { id: ID });
  expect(told).toEqual([[]]);
});
