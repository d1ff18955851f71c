import type { ApiSession } from '@vibe/contracts';
import type { EventStream } from './event-stream';
import { UserFeed } from './user-feed';

/** A source whose every read waits to be answered by the test. */
function heldSource() {
  const reads: { what: string; answer: (name: string) => void; fail: () => void }[] = [];
  const read = <T>(what: string, make: (name: string) => T) =>
    new Promise<T>((resolve, reject) => reads.push({ what, answer: (name) => resolve(make(name)), fail: () => reject(new Error('away')) }));
  const session = (name: string) => ({ name }) as ApiSession;
  return { reads, source: { list: () => read('list', (name) => [session(name)]), one: (id: string) => read(id, session) } };
}

function stream() {
  const told: string[] = [];
  const self: EventStream = {
    send: (event, data) => {
      const { session, sessions, id } = data as { session?: ApiSession; sessions?: ApiSession[]; id?: string };
      told.push(`${event} ${session?.name ?? sessions?.[0]?.name ?? id}`);
    },
    beat: () => undefined,
    close: () => told.push('closed'),
  };
  return { told, self };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the feed of one user', () => {
  const { reads, source } = heldSource();
  const failures: unknown[] = [];
  const feed = new UserFeed(source, (error) => failures.push(error));
  const [first, second] = [stream(), stream()];
  const answer = async (name: string) => {
    reads.shift()?.answer(name);
    await settle();
  };

  it('reads one thing at a time, the list first', async () => {
    feed.add(first.self);
    feed.changed('a', false);
    feed.changed('a', true);
    expect(reads.map(({ what }) => what)).toEqual(['list']);
    await answer('old');
    await answer('new');
    expect(reads).toEqual([]);
    expect(first.told).toEqual(['sessions old', 'session new']);
  });

  it('gives a stream that comes while a list is read a list of its own', async () => {
    feed.tellAll();
    feed.add(second.self);
    await answer('of before');
    expect(second.told).toEqual([]);
    await answer('of now');
    expect(second.told).toEqual(['sessions of now']);
    expect(first.told.at(-1)).toBe('sessions of before');
  });

  it('tells the end of a session to all, and nothing to who has left', async () => {
    feed.remove(first.self);
    feed.removed('a');
    await settle();
    expect([first.told.at(-1), second.told.at(-1)]).toEqual(['sessions of before', 'removed a']);
  });

  it('closes its streams when it cannot read: they come back for the whole list', async () => {
    feed.changed('b', false);
    reads.shift()?.fail();
    await settle();
    expect(second.told.at(-1)).toBe('closed');
    expect(failures).toHaveLength(1);
  });
});
