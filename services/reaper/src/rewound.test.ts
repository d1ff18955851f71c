import { newSessionId } from '@vibe/contracts';
import { Epoch, keys } from '@vibe/session-store';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { container, createParts, digestOf, labelsOf, never, nodeReport, sessionIn, skipClock, swarmView } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';

const HOUR = 3_600_000;

let redis: Redis;
let under: ReturnType<typeof createParts>;
let watch: EpochWatch;

useRedis((given) => {
  redis = given;
  under = createParts(redis);
  watch = new EpochWatch(under.parts);
});

describe('a Redis that was rewound', () => {
  it('does not bring back a container whose record is past the commit point: it is being removed', async () => {
    const { store, epoch, reports } = under.parts;
    await epoch.open();
    const asleep = await sessionIn(store, 'hibernated');
    await epoch.close();
    await watch.look(never);
    under.shelf.put(digestOf('d'), labelsOf(asleep.id, { gen: asleep.gen }));
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1', { containers: [container(asleep.id, { gen: asleep.gen, state: 'paused' })] }));
    expect(await watch.look(never)).toBe(true);
    expect(await store.get(asleep.id)).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('d') });
  });

  it('is rebuilt from what was seen afterwards, and its records are the weakest witness', async () => {
    const { store, epoch, reports } = under.parts;
    await epoch.open();
    const running = await sessionIn(store, 'running');
    const deleting = await sessionIn(store, 'deleting');
    const waking = await sessionIn(store, 'waking');
    const cutOff = newSessionId();
    await store.rename({ id: running.id, name: 'renamed' });
    expect(await watch.look(never)).toBe(true);
    await redis.set(keys.moves, 1);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(false);
    expect(await epoch.isOpen()).toBe(false);

    under.shelf.put(digestOf('d'), labelsOf(waking.id, { gen: 1 }));
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1', { containers: [container(running.id), container(deleting.id), container(cutOff)] }));
    expect(await watch.look(never)).toBe(true);
    expect(await store.get(running.id)).toMatchObject({ state: 'running', name: 'renamed', base_image: 'base' });
    expect((await store.get(running.id))?.rev).toBeGreaterThan(running.rev);
    expect(await store.get(deleting.id)).toMatchObject({ state: 'deleting' });
    expect(await store.get(waking.id)).toMatchObject({ state: 'waking', gen: 2, rev: waking.rev });
    expect(await store.get(cutOff)).toMatchObject({ state: 'running' });
  });

  it('is not believed of a wake that may have ended since on a node that is down: what was done there may be missing, and its page says so', async () => {
    const { store, epoch, reports } = under.parts;
    await epoch.open();
    const waking = await sessionIn(store, 'waking');
    await epoch.close();
    await watch.look(never);
    under.shelf.put(digestOf('d'), labelsOf(waking.id, { gen: 1 }));
    const service = { service_id: 's2', session_id: waking.id, user_id: 'ann', name: 'one', created_at: 1, gen: 2, image: 'i' };
    await reports.putSwarmView(swarmView({ n1: 'ready', n2: 'down' }, { services: [service] }));
    await reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    expect(await store.get(waking.id)).toMatchObject({ state: 'hibernated', gen: 2, may_lack: expect.stringContaining('may be missing') as string });
  });

  it('believes no report from before, also when it goes back once more in the middle of the rebuild and somebody else notices (F19)', async () => {
    const { store, epoch, reports } = under.parts;
    const retired = newSessionId();
    await epoch.open();
    await sessionIn(store, 'running');
    await epoch.look();
    const agent = new Epoch(redis);
    await agent.look();
    const before = await redis.get(keys.epoch);
    await redis.set(keys.moves, 1);
    expect(await watch.look(never)).toBe(false);

    // What it held before all this is there again: the epoch, and what was seen of a container that has gone since.
    await redis.set(keys.epoch, before ?? '');
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1', { containers: [container(retired)] }));
    expect(await agent.look()).toBe('rewound');
    await agent.close();
    expect(await watch.look(never)).toBe(false);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    expect(await store.get(retired)).toBeNull();
  });

  it('is alarming, whoever noticed it first; one that is new is not', async () => {
    const { epoch, metrics, reports, store } = under.parts;
    const raise = jest.spyOn(metrics, 'raise');
    expect(await watch.look(never)).toBe(false);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    await sessionIn(store, 'running');
    expect(raise).not.toHaveBeenCalled();
    const agent = new Epoch(redis);
    await agent.look();
    await redis.set(keys.moves, 1);
    expect(await agent.look()).toBe('rewound');
    await agent.close();
    await watch.look(never);
    await watch.look(never);
    expect(raise.mock.calls).toEqual([['rewound']]);
    await epoch.close();
  });

  it('lets no session move while it is filled again: what ended or was saved meanwhile is told afterwards (F19, F6b)', async () => {
    const { store, epoch, reports } = under.parts;
    await epoch.open();
    const dying = await sessionIn(store, 'running');
    const falling = await sessionIn(store, 'hibernating');
    await epoch.close();
    await expect(store.move({ id: dying.id, rev: dying.rev, to: 'lost', actor: 'agent' })).rejects.toMatchObject({ code: 'rebuilding', retryable: true });
    await expect(store.move({ id: falling.id, rev: falling.rev, to: 'hibernated', actor: 'agent' })).rejects.toMatchObject({ code: 'rebuilding' });
    expect(await store.getMany([dying.id, falling.id])).toMatchObject([{ rev: dying.rev, state: 'running' }, { rev: falling.rev, state: 'hibernating' }]);
    await watch.look(never);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1', { containers: [container(dying.id), container(falling.id, { state: 'paused' })] }));
    expect(await watch.look(never)).toBe(true);
    // It is frozen, and its agent must know that when it ends before it is thawed.
    const adopted = await store.get(falling.id);
    expect(adopted).toMatchObject({ state: 'running', frozen_container: adopted!.container_id });
    const { rev } = (await store.get(dying.id))!;
    expect(await store.move({ id: dying.id, rev, to: 'lost', actor: 'agent' })).toMatchObject({ outcome: 'moved' });
  });

  it('is not overwritten where another process adopted meanwhile: it is planned anew from what its record says then (F19)', async () => {
    const { store, epoch, reports } = under.parts;
    await epoch.open();
    const { id } = await sessionIn(store, 'running');
    await epoch.close();
    await watch.look(never);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1', { containers: [container(id)] }));
    const outcomes: string[] = [];
    const adopt: typeof epoch.adopt = async (found, actor) => {
      if (outcomes.length === 0) await epoch.adopt(found, 'another process');
      const outcome = await epoch.adopt(found, actor);
      outcomes.push(outcome);
      return outcome;
    };
    const late = new EpochWatch({ ...under.parts, epoch: Object.assign(Object.create(epoch) as typeof epoch, { adopt }) });
    expect(await late.look(never)).toBe(false);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1', { containers: [container(id)] }));
    expect(await late.look(never)).toBe(true);
    expect(outcomes).toEqual(['stale', 'adopted']);
    expect(await store.get(id)).toMatchObject({ state: 'running' });
  });

  it('prefers the later one of two snapshots of one revision: they were taken before and after it went back (F19)', async () => {
    const { store, reports } = under.parts;
    const id = newSessionId();
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 1, taken: 1_000 }), 'g1-r3-bbbbbbbb');
    under.shelf.put(digestOf('b'), labelsOf(id, { gen: 1, taken: 2_000 }), 'g1-r3-aaaaaaaa');
    under.shelf.put(digestOf('c'), labelsOf(id, { gen: 1, taken: 1_500 }), 'g1-r3-cccccccc');
    await watch.look(never);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    expect(await store.get(id)).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('b') });
  });

  it('counts no sighting from before as a first one: what is seen without a record after the rebuild waits its minute (F19)', async () => {
    const { epoch, reports, care } = under.parts;
    await care.sight('reconcile', ['service s']);
    await skipClock(redis, HOUR);
    await watch.look(never);
    await reports.putSwarmView(swarmView({ n1: 'ready' }));
    await reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    expect(await epoch.isOpen()).toBe(true);
    expect((await care.sight('reconcile', ['service s'])).get('service s')).toBe(0);
  });
});
