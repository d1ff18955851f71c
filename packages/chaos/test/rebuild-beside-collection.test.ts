import { putRightForgottenCollection } from '@vibe/hibernator-worker/collect-garbage';
import { createNodeReporter } from '@vibe/hibernator-worker/node-reporter';
import { EpochWatch } from '@vibe/reaper/epoch-watch';
import { CollectionStage } from '../../../services/hibernator-worker/test/collecting-stage';
import { createParts, never } from '../../../services/reaper/test/reaper-under-test';

jest.setTimeout(300_000);

let stage: CollectionStage;
beforeAll(async () => {
  stage = await CollectionStage.start();
});
afterAll(() => stage.agents.stop());
beforeEach(() => stage.clear());

const reportAll = async () => {
  for (const { parts } of stage.agents.byName.values()) await createNodeReporter(parts)();
};

/** A reaper of these agents: it reads their registry, and what it asks for goes to their line. */
function reaper(): EpochWatch {
  const { agents } = stage;
  const { parts } = createParts(agents.redis);
  const { registry, settings } = agents.agent('manager').parts;
  const { BASE_IMAGE, REGISTRY_URL } = settings;
  return new EpochWatch({ ...parts, settings: { ...parts.settings, BASE_IMAGE, REGISTRY_URL }, registry, queues: { ...parts.queues, add: (...job) => agents.line.add(...job) } });
}

/** A session that sleeps, while the collector runs on a registry that is read-only. */
async function collecting(): Promise<{ id: string }> {
  const asleep = await stage.agents.asleep();
  stage.collectorPlan = 'hangs';
  await stage.ask();
  await stage.collectUntil(() => stage.seenByCollectors.length > 0);
  stage.agents.line.waiting.length = 0;
  return asleep;
}

describe('a rebuild in the middle of a collection', () => {
  it('whose flag was lost with Redis waits until that is put right, which needs no epoch, and both end', async () => {
    const { agents } = stage;
    const { id } = await collecting();
    await agents.redis.flushall();
    const watch = reaper();
    await watch.look(never);
    await reportAll();
    expect(await watch.look(never)).toBe(false);
    await putRightForgottenCollection(stage.parts());
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'put_right' });
    expect(await watch.look(never)).toBe(true);
    expect(await agents.store.get(id)).toMatchObject({ state: 'hibernated' });
  });

  it('whose flag is there and whose job was lost has it taken up again: it gives way, and both end', async () => {
    const { agents } = stage;
    const { id } = await collecting();
    await agents.agent('manager').parts.epoch.close();
    const watch = reaper();
    await watch.look(never);
    await reportAll();
    expect(await watch.look(never)).toBe(false);
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'given_up', reason: 'the records are being put together' });
    expect(await watch.look(never)).toBe(true);
    expect(await agents.store.get(id)).toMatchObject({ state: 'hibernated' });
  });
});
