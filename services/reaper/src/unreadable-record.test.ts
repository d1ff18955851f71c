import { newSessionId } from '@vibe/contracts';
import { type JobContext, keys } from '@vibe/session-store';
import { container, digestOf, labelsOf, never, nodeReport, sessionIn, skipClock, swarmView, useReaper } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';
import { reconcile } from './reconcile';
import { RegistryCare } from './registry-care';
import { createTickHandlers } from './ticks';

const under = useReaper();

/** A session whose record somebody has spoilt, and a container, an image and a service of it and of one without a record. */
async function spoilt() {
  const { id } = await sessionIn(under.parts.store, 'running');
  const orphan = newSessionId();
  await under.redis.hset(keys.session(id), 'rev', 'no number');
  const both = [id, orphan];
  const services = both.map((session_id) => ({ service_id: `s-${session_id}`, session_id, user_id: 'ann', name: 'one', created_at: 0, gen: 1, image: 'i' }));
  const secrets = both.map((session_id) => ({ secret_id: `k-${session_id}`, session_id, gen: 2 }));
  const images = both.map((session_id) => ({ image_id: `i-${session_id}`, session_id, gen: 1, digest: null, refs: [], age_ms: 1 }));
  const tell = async () => {
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }, { services, secrets }));
    await under.parts.reports.put(nodeReport('n1', { containers: both.map((session) => container(session)), images }));
  };
  await tell();
  return { id, orphan, tell };
}

describe('a record that cannot be read', () => {
  it('does not keep a reconcile round from the others, and nothing of its session is taken for an orphan', async () => {
    const { id, orphan } = await spoilt();
    const error = jest.spyOn(under.parts.logger, 'error');
    await reconcile(under.parts, never);
    await skipClock(under.redis, 60_000);
    await reconcile(under.parts, never);
    const asked = JSON.stringify(under.added);
    expect(asked).toContain(orphan);
    expect(asked).not.toContain(id);
    expect(error).toHaveBeenCalledWith(expect.stringContaining('cannot be read'), { session_ids: [id] });
    error.mockRestore();
  });

  it('does not keep a reconcile round from its turn when it is of a collection of the registry', async () => {
    const { orphan } = await spoilt();
    await under.redis.hset(keys.collected, { run: 'r', outcome: 'of a later version' });
    const tick = () => createTickHandlers(under.parts, { onTick: () => undefined, mayAct: () => true }).reconcile({}, { signal: never } as JobContext);
    await expect(tick()).rejects.toThrow();
    await skipClock(under.redis, 60_000);
    await expect(tick()).rejects.toThrow();
    expect(JSON.stringify(under.added)).toContain(orphan);
  });

  it('does not keep registry care from the others, and its repository stays', async () => {
    const { id, orphan } = await spoilt();
    under.shelf.put(digestOf('a'), labelsOf(id));
    under.shelf.put(digestOf('b'), labelsOf(orphan));
    const care = new RegistryCare();
    await care.round(under.parts, never);
    await skipClock(under.redis, 60_000);
    await care.round(under.parts, never);
    expect(under.shelf.sessions()).toEqual([id]);
  });

  it('does not keep a rebuild from the others, and stays as it is', async () => {
    const { id, orphan, tell } = await spoilt();
    const before = await under.redis.hgetall(keys.session(id));
    await under.parts.epoch.close();
    const watch = new EpochWatch(under.parts);
    await watch.look(never);
    await tell();
    expect(await watch.look(never)).toBe(true);
    expect(await under.parts.store.get(orphan)).toMatchObject({ state: 'running' });
    expect(await under.redis.hgetall(keys.session(id))).toEqual(before);
  });
});
