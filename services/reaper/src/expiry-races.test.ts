import type { SessionRecord } from '@vibe/contracts';
import { digestOf, never, sessionIn, skipClock, useReaper } from '../test/reaper-under-test';
import { watchDeadlines } from './deadlines';

const WEEK_MS = 7 * 24 * 3_600_000;

const under = useReaper();

/** A session that has slept for a week and a second. */
async function overdue(): Promise<SessionRecord> {
  const record = await sessionIn(under.parts.store, 'hibernated');
  await skipClock(under.redis, WEEK_MS + 1_000);
  return record;
}

const claimWake = ({ id, rev, gen }: SessionRecord) => under.parts.store.move({ id, rev, to: 'waking', actor: 'test', set: { gen: gen + 1 } });

/** Its user comes back, and lets it fall asleep again: for another week. */
async function wakeAndSleep(record: SessionRecord): Promise<SessionRecord> {
  const { store } = under.parts;
  const woken = await claimWake(record);
  if (woken.outcome !== 'moved') throw new Error('it does not wake');
  const { id, rev } = woken.record;
  await store.move({ id, rev, to: 'running', actor: 'test', set: { node_id: 'n1', container_id: 'c2' } });
  await store.move({ id, rev: rev + 1, to: 'hibernating', actor: 'test' });
  const asleep = await store.move({ id, rev: rev + 2, to: 'hibernated', actor: 'test', set: { snapshot_digest: digestOf('e') }, deadlineMs: WEEK_MS });
  if (asleep.outcome !== 'moved') throw new Error('it does not fall asleep');
  return asleep.record;
}

/** The reaper's own eyes, with something that happens once: when it has made the first of the two reads about a session, or just before its move. */
function withMeanwhile(when: 'between the reads' | 'before the move', meanwhile: () => Promise<unknown>) {
  const { store } = under.parts;
  let hasHappened = false;
  const happen = async () => {
    if (hasHappened) return;
    hasHappened = true;
    await meanwhile();
  };
  const afterRead = <Result>(read: (id: string) => Promise<Result>) => async (id: string) => {
    const seen = await read(id);
    await happen();
    return seen;
  };
  const reads = { get: afterRead((id) => store.get(id)), deadlineOf: afterRead((id) => store.deadlineOf(id)) };
  const move = async (...args: Parameters<typeof store.move>) => {
    await happen();
    return store.move(...args);
  };
  const eyes = when === 'between the reads' ? reads : { move };
  return { ...under.parts, store: Object.assign(Object.create(store) as typeof store, eyes) };
}

describe('the end of a sleep races a wake: the move of the record decides (F10)', () => {
  it('spares who came back and fell asleep again between the two reads: the old end does not count for the new sleep', async () => {
    const record = await overdue();
    let asleep: SessionRecord | undefined;
    await watchDeadlines(withMeanwhile('between the reads', async () => void (asleep = await wakeAndSleep(record))), never);
    expect(asleep).toMatchObject({ state: 'hibernated', rev: record.rev + 4 });
    expect(await under.parts.store.get(record.id)).toEqual(asleep);
    expect(under.added).toEqual([]);
  });

  it('spares who wakes when everything is read and only the move is left', async () => {
    const record = await overdue();
    await watchDeadlines(withMeanwhile('before the move', () => claimWake(record)), never);
    expect(await under.parts.store.get(record.id)).toMatchObject({ state: 'waking', rev: record.rev + 1 });
    expect(under.added).toEqual([]);
  });

  it('wakes nobody whose end was written down first', async () => {
    const record = await overdue();
    await watchDeadlines(under.parts, never);
    expect(await claimWake(record)).toMatchObject({ outcome: 'stale', record: { state: 'deleting' } });
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'erase', payload: { session_id: record.id, rev: record.rev + 1 } }]);
  });
});
