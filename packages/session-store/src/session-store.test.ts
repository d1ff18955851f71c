import { type SessionEvent, newSessionId } from '@vibe/contracts';
import { type TestRedis, useRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { Epoch, SessionStore, SnapshotCare, keys, readAudit, subscribeToSessions } from '.';

let server: TestRedis;
let redis: Redis;
let store: SessionStore;
let epoch: Epoch;

useRedis(async (given, itsServer) => {
  redis = given;
  server = itsServer;
  store = new SessionStore(redis);
  epoch = new Epoch(redis);
  await epoch.open();
});

const create = (id = newSessionId(), userId = 'ann', maxPerUser = 3) => store.create({ id, userId, name: 'one', baseImage: 'base@sha256:x', maxPerUser, actor: 'test' });

async function running(userId = 'ann') {
  const made = await create(newSessionId(), userId);
  if (made.outcome !== 'created') throw new Error(made.outcome);
  const moved = await store.move({ id: made.record.id, rev: 1, to: 'running', actor: 'test', addNode: 'n1', set: { node_id: 'n1' } });
  if (moved.outcome !== 'moved') throw new Error('not running');
  return moved.record;
}

const skipClock = (ms: number) => redis.incrby(keys.clockOffset, ms);

describe('the session store', () => {
  it('lets exactly three of a hundred parallel creates through', async () => {
    const results = await Promise.all(Array.from({ length: 100 }, () => create()));
    expect(results.filter(({ outcome }) => outcome === 'created')).toHaveLength(3);
    expect(await store.listByUser('ann')).toHaveLength(3);
  });

  it('names the sessions one has when the quota is used up, and does not count lost ones', async () => {
    const first = await running();
    await create();
    await create();
    const refused = await create();
    expect(refused).toMatchObject({ outcome: 'quota_exceeded', sessions: [{ id: first.id }, {}, {}] });
    await store.move({ id: first.id, rev: first.rev, to: 'lost', actor: 'test', reason: 'killed' });
    expect((await create()).outcome).toBe('created');
  });

  it('reads many records past one that is none, and says which', async () => {
    const [good, bad] = [await running(), await running()];
    await redis.hset(keys.session(bad.id), 'rev', 'no number');
    expect(await store.readMany([bad.id, newSessionId(), good.id])).toEqual({ records: [good], unreadable: [bad.id] });
    await expect(store.getMany([good.id, bad.id])).rejects.toThrow(bad.id);
  });

  it('creates nothing while there is no epoch', async () => {
    await epoch.close();
    expect((await create()).outcome).toBe('rebuilding');
  });

  it('lets one of many parallel moves from the same rev win, with one audit entry', async () => {
    const { id, rev } = await running();
    const results = await Promise.all(Array.from({ length: 50 }, () => store.move({ id, rev, to: 'hibernating', actor: 'test' })));
    expect(results.filter(({ outcome }) => outcome === 'moved')).toHaveLength(1);
    expect((await readAudit(redis, 100)).filter((entry) => entry.to === 'hibernating')).toHaveLength(1);
  });

  it('gives back what a move wrote, not what somebody else has made of it since', async () => {
    const { id, rev } = await running();
    const [claimed] = await Promise.all([store.move({ id, rev, to: 'hibernating', actor: 'test' }), store.move({ id, rev: rev + 1, to: 'running', actor: 'test' })]);
    expect(claimed).toMatchObject({ outcome: 'moved', record: { state: 'hibernating', rev: rev + 1, nodes: ['n1'] } });
  });

  it('refuses what the table forbids and says how things are', async () => {
    const { id, rev } = await running();
    expect(await store.move({ id, rev, to: 'waking', actor: 'test' })).toMatchObject({ outcome: 'stale', record: { state: 'running', rev } });
  });

  it('keeps a reason only until the next move', async () => {
    const { id, rev } = await running();
    await store.move({ id, rev, to: 'hibernating', actor: 'test', reason: 'because' });
    expect(await store.get(id)).toMatchObject({ reason: 'because' });
    await store.move({ id, rev: rev + 1, to: 'running', actor: 'test' });
    expect(await store.get(id)).not.toHaveProperty('reason');
  });

  it('finds the idle by the clock of Redis, and a touch takes them out again', async () => {
    const { id, gen } = await running();
    await skipClock(60_000);
    expect(await store.idleSince(59_000, 10)).toEqual([id]);
    expect(await store.idleSince(61_000, 10)).toEqual([]);
    await store.touch({ id, gen, ageMs: 5_000, activityReason: 'input' });
    expect(await store.idleSince(6_000, 10)).toEqual([]);
    await store.touch({ id, gen, ageMs: 30_000, activityReason: 'cpu' });
    expect(await store.get(id)).toMatchObject({ activity_reason: 'input' });
  });

  it('ignores a look at a generation that is gone', async () => {
    const { id } = await running();
    await skipClock(60_000);
    await store.touch({ id, gen: 7, ageMs: 0, activityReason: 'input' });
    expect(await store.idleSince(59_000, 10)).toEqual([id]);
  });

  it('knows what is overdue and renews a deadline by progress at the same rev only', async () => {
    const made = await create();
    if (made.outcome !== 'created') throw new Error();
    const { id } = made.record;
    expect(await store.progress({ id, rev: 1, set: { step: 'asked' }, deadlineMs: 60_000 })).toBe(true);
    await skipClock(61_000);
    expect(await store.overdue(10)).toEqual([id]);
    expect(await store.progress({ id, rev: 2, set: {}, deadlineMs: 60_000 })).toBe(false);
    expect(await store.overdue(10)).toEqual([id]);
    expect(await store.inWork(10_000, 10)).toEqual([id]);
  });

  it('bounds the starts in flight and frees the place by the move', async () => {
    const ids = await Promise.all([create(newSessionId(), 'a'), create(newSessionId(), 'b')]);
    const [one, two] = ids.map((made) => (made.outcome === 'created' ? made.record.id : ''));
    expect(await store.claimStartSlot({ id: one!, rev: 1, limit: 1 })).toBe('taken');
    expect(await store.claimStartSlot({ id: one!, rev: 1, limit: 1 })).toBe('taken');
    expect(await store.claimStartSlot({ id: two!, rev: 1, limit: 1 })).toBe('full');
    await skipClock(3_000);
    expect(await store.slowStarts(3_000, 10)).toEqual([one]);
    await store.move({ id: one!, rev: 1, to: 'running', actor: 'test' });
    expect(await store.claimStartSlot({ id: two!, rev: 1, limit: 1 })).toBe('taken');
    expect(await store.claimStartSlot({ id: one!, rev: 1, limit: 1 })).toBe('stale');
  });

  it('publishes every move, and leaves nothing behind when a record is removed', async () => {
    const events: SessionEvent[] = [];
    const subscriber = new Redis(server.url);
    await subscribeToSessions(subscriber, (event) => events.push(event), () => undefined);
    const { id, rev } = await running();
    await store.move({ id, rev, to: 'deleting', actor: 'test' });
    expect(await store.remove({ id, rev, actor: 'test' })).toBe('stale');
    expect(await store.remove({ id, rev: rev + 1, actor: 'test' })).toBe('removed');
    expect(await store.remove({ id, rev: rev + 1, actor: 'test' })).toBe('removed');
    await redis.ping();
    await subscriber.quit();
    expect(events.map(({ kind, state }) => `${kind} ${state}`)).toEqual(['move creating', 'move running', 'move deleting', 'removed deleting']);
    expect((await redis.keys('*')).sort()).toEqual(['audit', 'sessions:counts', 'vibe:epoch', 'vibe:moves']);
    expect(Object.values(await store.counts()).every((count) => count === 0)).toBe(true);
  });

  it('forgets node by node where an erased session was, and only while it is being erased', async () => {
    const { id, rev } = await running();
    expect(await store.forgetNode({ id, rev, nodeId: 'n1' })).toBeNull();
    await store.move({ id, rev, to: 'deleting', actor: 'test', addNode: 'n2' });
    expect(await store.forgetNode({ id, rev: rev + 1, nodeId: 'n1' })).toBe(1);
    expect(await store.forgetNode({ id, rev: rev + 1, nodeId: 'n1' })).toBe(1);
    expect(await store.forgetNode({ id, rev: rev + 1, nodeId: 'n2' })).toBe(0);
  });

  it('adopts only without an epoch, with a rev above every rev before', async () => {
    const found = { id: newSessionId(), fromRev: null, userId: 'ann', state: 'running', createdAt: 5, lastActivityAgeMs: 1_000, nodes: ['n1'], fields: { gen: 3, name: 'x', base_image: 'b', node_id: 'n1' } } as const;
    expect(await epoch.adopt(found, 'reaper')).toBe('epoch');
    await epoch.close();
    expect(await epoch.adopt(found, 'reaper')).toBe('adopted');
    const record = await store.get(found.id);
    expect(record).toMatchObject({ state: 'running', gen: 3, nodes: ['n1'], created_at: 5 });
    expect(record!.rev).toBeGreaterThan(1_000_000_000);
    expect(await store.idleSince(500, 10)).toEqual([found.id]);
  });

  it('adopts over no other record than the one it was planned from', async () => {
    const { id, rev } = await running();
    await epoch.close();
    const adoption = (fromRev: number | null) => ({ id, fromRev, userId: 'ann', state: 'running', createdAt: 5, lastActivityAgeMs: 0, nodes: ['n1'], fields: { gen: 1, name: 'x', base_image: 'b' } }) as const;
    expect(await epoch.adopt(adoption(null), 'reaper')).toBe('stale');
    expect(await epoch.adopt(adoption(rev - 1), 'reaper')).toBe('stale');
    expect(await store.get(id)).toMatchObject({ rev, state: 'running' });
    expect(await epoch.adopt(adoption(rev), 'reaper')).toBe('adopted');
    expect(await epoch.adopt(adoption(rev), 'reaper')).toBe('stale');
    expect((await store.counts()).running).toBe(1);
  });

  it('notices a Redis that was rewound, and not one that was rebuilt', async () => {
    await running();
    expect(await epoch.look()).toBe('open');
    await redis.set(keys.moves, 1);
    expect(await epoch.look()).toBe('rewound');
    await epoch.close();
    expect(await epoch.look()).toBe('absent');
    await epoch.open();
    expect(await epoch.look()).toBe('open');
  });

  it('hears from the next published move that Redis was rewound, although the count has caught up by then (F19)', async () => {
    const events = new Redis(server.url);
    const listener = new Epoch(redis);
    let tell: () => void = () => undefined;
    const rewound = new Promise<void>((resolve) => (tell = resolve));
    await subscribeToSessions(events, (event) => void listener.hear(event).then((heard) => heard === 'rewound' && tell()), () => undefined);
    const { id, rev } = await running();
    const before = Number(await redis.get(keys.moves));
    await redis.set(keys.moves, before - 1);
    // By a process that has seen nothing yet.
    await new SessionStore(redis).move({ id, rev, to: 'deleting', actor: 'test' });
    expect(await redis.get(keys.moves)).toBe(String(before));
    await rewound;
    expect(await epoch.look()).toBe('absent');
    await epoch.open();
    events.disconnect();
  });

  it.each([
    ['counts less', () => redis.set(keys.moves, 1)],
    ['has an older epoch', () => redis.set(keys.epoch, '5-older')],
  ])('makes no move in a Redis that %s than this process has seen, and closes its doors (F19)', async (_how, goBack) => {
    const { id, rev } = await running();
    await goBack();
    await expect(store.move({ id, rev, to: 'lost', actor: 'test' })).rejects.toMatchObject({ code: 'rebuilding', retryable: true });
    expect(await redis.exists(keys.epoch)).toBe(0);
    expect(await store.get(id)).toMatchObject({ state: 'running', rev });
  });

  it('makes no move without an epoch, and goes on when there is one', async () => {
    const { id, rev } = await running();
    await epoch.close();
    await expect(store.move({ id, rev, to: 'lost', actor: 'test' })).rejects.toMatchObject({ code: 'rebuilding' });
    await epoch.open();
    expect((await store.move({ id, rev, to: 'lost', actor: 'test' })).outcome).toBe('moved');
  });

  it('closes a Redis that went back once more, to before it was closed (F19)', async () => {
    const { id, rev } = await running();
    await epoch.look();
    const earlier = (await redis.get(keys.epoch))!;
    await redis.decr(keys.moves);
    await expect(epoch.require()).rejects.toMatchObject({ code: 'rebuilding' });
    await redis.set(keys.epoch, earlier);
    await expect(new SessionStore(redis, epoch).move({ id, rev, to: 'lost', actor: 'test' })).rejects.toMatchObject({ code: 'rebuilding' });
    expect(await redis.exists(keys.epoch)).toBe(0);
    await redis.set(keys.epoch, earlier);
    expect(await epoch.look()).toBe('rewound');
    await epoch.close();
    await epoch.open();
    expect(await epoch.look()).toBe('open');
    expect(await store.get(id)).toMatchObject({ state: 'running', rev });
  });

  it('knows an older epoch from a newer one', async () => {
    await epoch.look();
    const older = (await redis.get(keys.epoch))!;
    await epoch.close();
    await skipClock(1);
    await epoch.open();
    expect(await epoch.look()).toBe('open');
    await redis.set(keys.epoch, older);
    expect(await epoch.look()).toBe('rewound');
    await epoch.close();
    await epoch.open();
  });

  it('says how long something without a record was seen, and forgets it when it is gone', async () => {
    const care = new SnapshotCare(redis);
    expect((await care.sight('round', ['a'])).get('a')).toBe(0);
    await skipClock(60_000);
    expect((await care.sight('round', ['a', 'b'])).get('a')).toBeGreaterThanOrEqual(60_000);
    await care.sight('another', []);
    expect((await care.sight('round', ['a'])).get('a')).toBeGreaterThanOrEqual(60_000);
    await care.sight('round', ['b']);
    expect((await care.sight('round', ['a'])).get('a')).toBe(0);
  });

  it('keeps the tag of the commit point and gives the replaced digest free', async () => {
    const care = new SnapshotCare(redis);
    const { id, rev } = await running();
    await care.expectTag(id, 'g1-r3-aaaaaaaa', 0);
    await store.move({ id, rev, to: 'hibernating', actor: 'test' });
    const old = `sha256:${'0'.repeat(64)}`;
    await store.move({ id, rev: rev + 1, to: 'hibernated', actor: 'test', keepTag: 'g1-r3-aaaaaaaa', dropDigest: old });
    expect(await care.due(10)).toEqual([{ session_id: id, reference: old }]);
  });
});
