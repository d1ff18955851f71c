import { newCollectionRun, swarmJobs } from '@vibe/contracts';
import type { Collection } from '@vibe/session-store';
import { createParts, never, nodeReport, sessionIn, skipClock, useReaper } from '../test/reaper-under-test';
import { askForCollection, endText } from './collect-command';
import { careForCollection } from './collection-care';
import { sweepIdle } from './idle-sweep';
import { createTickHandlers } from './ticks';

const HOUR = 3_600_000;

const under = useReaper(({ parts }) => parts.reports.put(nodeReport('n1')));

const begin = () => under.parts.collection.begin({ run: newCollectionRun(), step: 'draining', limitMs: HOUR }) as Promise<Collection>;
const end = async (at: Collection, freed_bytes = 3 * 1024 ** 2) => {
  const opening = await under.parts.collection.advance(at, 'opening', { set: { outcome: 'collected', freed_bytes } });
  return under.parts.collection.end(opening as Collection);
};
const asked = () => under.added.filter(({ name }) => name === swarmJobs.collect.name);

describe("the care for the registry's collection", () => {
  it('asks for one so many hours after the last, not right after Redis was emptied, and never when it is told so', async () => {
    expect(await careForCollection(under.parts)).toEqual({ collections: 0 });
    await skipClock(under.redis, 23 * HOUR);
    await careForCollection(under.parts);
    expect(asked()).toEqual([]);
    await skipClock(under.redis, HOUR);
    await careForCollection({ ...under.parts, settings: { ...under.parts.settings, REGISTRY_COLLECT_HOURS: 0 } });
    expect(asked()).toEqual([]);
    expect(await careForCollection(under.parts)).toEqual({ collections: 1 });
    expect(asked()).toMatchObject([{ queueName: 'swarm' }]);
    await end(await begin());
    await careForCollection(under.parts);
    expect(asked()).toHaveLength(1);
  });

  it('adds again the job of the one that is under way, and raises the alarm when that is long overdue', async () => {
    const at = await begin();
    await careForCollection(under.parts);
    expect(asked()).toEqual([{ queueName: 'swarm', name: 'collect', payload: { run: at.run } }]);
    const raise = jest.spyOn(under.parts.metrics, 'raise');
    await careForCollection(under.parts);
    expect(raise).not.toHaveBeenCalled();
    await skipClock(under.redis, 2 * HOUR);
    await careForCollection(under.parts);
    expect(raise).toHaveBeenCalledWith('collection_overdue');
  });

  it('raises it as well when the registry is not made writable, long before the deadline of what went before', async () => {
    const raise = jest.spyOn(under.parts.metrics, 'raise');
    await under.parts.collection.advance(await begin(), 'opening', { set: { outcome: 'collected' } });
    await skipClock(under.redis, 299_000);
    await careForCollection(under.parts);
    expect(raise).not.toHaveBeenCalled();
    await skipClock(under.redis, 2_000);
    await careForCollection(under.parts);
    expect(raise.mock.calls).toEqual([['collection_overdue']]);
  });

  it.each(['given_up', 'failed'] as const)('raises an alarm once, whoever looks, for one that ended %s', async (outcome) => {
    const raise = jest.spyOn(under.parts.metrics, 'raise');
    await end(await begin());
    await careForCollection(under.parts);
    expect(raise).not.toHaveBeenCalled();
    for (const times of [1, 2]) {
      const opening = await under.parts.collection.advance(await begin(), 'opening', { set: { outcome } });
      await under.parts.collection.end(opening as Collection);
      await careForCollection(under.parts);
      const afterARestart = createParts(under.redis).parts;
      await careForCollection({ ...afterARestart, metrics: under.parts.metrics });
      expect(raise.mock.calls).toEqual(Array(times).fill(['collection_failed']));
    }
  });

  it('comes with the tick that looks for lost jobs; the registry is left alone until it is over', async () => {
    const at = await begin();
    const ticks = createTickHandlers(under.parts, { onTick: () => undefined, mayAct: () => true });
    const context = { signal: never } as Parameters<typeof ticks.reconcile>[1];
    await ticks.reconcile({}, context);
    expect(asked()).toHaveLength(1);
    under.shelf.isDown = true;
    await expect(ticks.registryCare({}, context)).resolves.toBeUndefined();
    await end(at);
    await expect(ticks.registryCare({}, context)).rejects.toMatchObject({ code: 'registry_unreachable' });
  });

  it('leaves idle sessions to a later sweep (F10)', async () => {
    const { id, gen } = await sessionIn(under.parts.store, 'running');
    await skipClock(under.redis, 3 * HOUR);
    await under.parts.store.looked({ id, gen });
    const at = await begin();
    expect(await sweepIdle(under.parts, never)).toEqual({ idle: 1, claimed: 0, failed: 0 });
    await end(at);
    expect(await sweepIdle(under.parts, never)).toEqual({ idle: 1, claimed: 1, failed: 0 });
  });
});

describe('a person who asks for a collection', () => {
  const ask = (isWaiting: boolean, lines: string[], nodes = under.parts.queues) => askForCollection({ collection: under.parts.collection, queues: nodes, say: (line) => void lines.push(line) }, { isWaiting, nobodyAfterMs: 0 });

  it('has only asked when not waiting', async () => {
    const lines: string[] = [];
    expect(await ask(false, lines)).toBe(true);
    expect(asked()).toHaveLength(1);
    expect(lines).toEqual(['asked for a collection']);
  });

  it('is told each step and what was freed', async () => {
    const lines: string[] = [];
    const at = await begin();
    const waiting = ask(true, lines);
    while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await end(at);
    expect(await waiting).toBe(true);
    expect(lines[0]).toBe('a collection is under way: waiting for what is falling asleep');
    expect(lines.at(-1)).toMatch(/^3\.0 MiB freed \(draining \d+\.\d s, closing 0\.0 s/);
  });

  it('hears that nobody does it', async () => {
    await expect(ask(true, [])).rejects.toMatchObject({ code: 'nobody_collects' });
  });

  it('hears why it came to nothing', async () => {
    const ended = await end(await begin());
    expect(endText({ ...ended!, outcome: 'given_up', reason: 'sessions were falling asleep all the time' })).toMatch(/^given up: sessions were falling asleep all the time \(/);
  });
});
