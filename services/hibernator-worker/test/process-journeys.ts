import { REAPER_QUEUE, newSessionId, reaperJobs, repositoryOf } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { uploadImage, packLayer } from '@vibe/testkit';
import type { JourneyName } from './failpoints-list';
import { collect } from './process-collection';
import type { Drive } from './process-drive';
import { whenTrue } from './process-when';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

/**
 * A stretch of lives on a stage, from nothing to nothing. It holds with every fault that strikes on the way: what was typed is
 * there after a wake, nothing is left at the end. At a `milestone` whoever was stopped wakes up late.
 */
export type Journey = (drive: Drive, milestone: () => Promise<void>) => Promise<void>;

/** Whoever is asked to push does not come to an end before the test says so. */
async function untilPushed(drive: Drive, id: string): Promise<() => void> {
  const held = drive.stage.engine.hold(new RegExp(`POST /images/.*${id}/push`));
  await drive.sleep(id, { until: held.reached });
  return () => held.release();
}

export const journeys: Readonly<Record<JourneyName, Journey>> = {
  'a whole life': async (drive, milestone) => {
    const id = await drive.createRunning();
    drive.type(id, 'one');
    await milestone();
    await drive.sleep(id);
    await milestone();
    await drive.wake(id);
    await milestone();
    drive.mustHold(id, 'one');
    drive.type(id, 'two');
    await drive.remove(id);
  },

  'a return while it is frozen': async (drive, milestone) => {
    const id = await drive.createRunning();
    drive.type(id, 'one');
    const letGo = await untilPushed(drive, id);
    await drive.comeBack(id);
    letGo();
    await whenTrue('it is thawed', () => drive.stage.containerOf(id).status === 'running', { explain: () => drive.stage.said });
    drive.type(id, 'two');
    // Asleep again at the same generation: whoever wakes up late finds it frozen.
    const letGoAgain = await untilPushed(drive, id);
    await milestone();
    letGoAgain();
    await drive.sleep(id);
    await drive.wake(id);
    drive.mustHold(id, 'one', 'two');
    await drive.remove(id);
  },

  'a wish for a node that is away': async (drive, milestone) => {
    const id = await drive.createAsleep('one');
    await drive.wake(id, { wishNode: 'a-node-that-is-away' });
    await milestone();
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },

  'a return before the old service is gone': async (drive, milestone) => {
    const id = await drive.createRunning();
    drive.type(id, 'one');
    const held = drive.stage.engine.hold(/^DELETE \/services\//);
    await drive.sleep(id);
    await drive.until(id, 'hibernated', { until: held.reached });
    await drive.wake(id);
    held.release();
    await milestone();
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },

  'a container that dies': async (drive, milestone) => {
    const id = await drive.createRunning();
    drive.stage.containerOf(id).end();
    await drive.until(id, 'lost');
    await milestone();
    await drive.remove(id);
  },

  'a container that ends while it is frozen': async (drive, milestone) => {
    const { store, said } = drive.stage;
    const id = await drive.createRunning();
    drive.type(id, 'one');
    const letGo = await untilPushed(drive, id);
    drive.stage.containerOf(id).end();
    await drive.claim(await drive.until(id, 'hibernating'), 'running', { hibernate_reason: null });
    letGo();
    await whenTrue('it is claimed once more', async () => (await store.get(id))?.hibernate_reason === 'ended', { explain: () => said });
    await milestone();
    await drive.until(id, 'hibernated');
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },

  'a start that fails': async (drive, milestone) => {
    const { swarm } = drive.stage;
    const { startPlan } = swarm;
    swarm.startPlan = () => ({ exitCode: 1 });
    const id = await drive.create();
    await drive.until(id, 'failed').finally(() => (swarm.startPlan = startPlan));
    await milestone();
    await drive.remove(id);
  },

  'a push that fails': async (drive, milestone) => {
    const { node } = drive.stage;
    const id = await drive.createRunning();
    drive.type(id, 'one');
    node.pushFault = 'fails';
    await drive.claimSleep(id);
    await whenTrue('the push is given up', async () => (await drive.stage.store.get(id))?.state === 'running', { explain: () => drive.stage.said }).finally(() => (node.pushFault = null));
    await milestone();
    await drive.sleep(id);
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },

  'an idle session': async (drive, milestone) => {
    const { store, queues } = drive.stage;
    const id = await drive.createRunning();
    drive.stage.containerOf(id).type('one', undefined, new Date(Date.now() - 3 * HOUR_MS));
    await drive.stage.skipClock(3 * HOUR_MS);
    await whenTrue('it is put to sleep', async () => {
      const record = await store.get(id);
      // The agent's own look and the reaper's sweep come once a minute.
      if (record) await store.looked({ id, gen: record.gen });
      await queues.add(REAPER_QUEUE, reaperJobs.idle, {});
      return record?.state === 'hibernated';
    }, { explain: () => drive.stage.said });
    await milestone();
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },

  'an expiry': async (drive, milestone) => {
    const id = await drive.createAsleep('one');
    const { store } = drive.stage;
    const deadlineAt = (await store.deadlineOf(id)) ?? 0;
    // An end that is noticed late is put off.
    await drive.stage.skipClock(deadlineAt - (await store.now()) + SECOND_MS);
    await drive.untilGone(id);
    await milestone();
  },

  'jobs and services that nobody sees to': async (drive, milestone) => {
    const id = await drive.create({ isTold: false });
    const record = await drive.until(id, 'running');
    await drive.claim(record, 'lost');
    await whenTrue('its service is removed', () => drive.stage.swarm.containersOf(id).length === 0, { explain: () => drive.stage.said });
    await milestone();
    await drive.remove(id);
  },

  'snapshots that can go': async (drive, milestone) => {
    const { registry } = drive.stage;
    const stranger = repositoryOf(newSessionId());
    await uploadImage(drive.stage.access, { repository: stranger, tag: 'g1-r1-aaaaaaaa' }, { layers: [await packLayer(new Map([['/a', stranger]]))], config: { Labels: {}, Env: [] } });
    const id = await drive.createAsleep('one');
    await drive.wake(id);
    await drive.sleep(id);
    const tagsOf = (repository: string) => registry.store.repository(repository)?.tags.size ?? 0;
    await whenTrue('the snapshot before the last, and the one without a session, are gone', () => tagsOf(repositoryOf(id)) === 1 && tagsOf(stranger) === 0, { explain: () => drive.stage.said });
    await milestone();
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },

  'a collection of the registry': async (drive, milestone) => {
    const id = await drive.createRunning();
    drive.type(id, 'one');
    // It pushes while the collection begins.
    await drive.claimSleep(id);
    await collect(drive, async () => {
      await milestone();
      await drive.wake(id);
      drive.mustHold(id, 'one');
    });
    // Sessions may fall asleep again.
    await drive.sleep(id);
    await drive.remove(id);
  },

  'an emptied Redis': async (drive, milestone) => {
    const [awake, asleep] = await Promise.all([drive.createRunning(), drive.createAsleep('asleep')]);
    drive.type(awake, 'awake');
    await drive.stage.redisServer.flush();
    await drive.untilOpen();
    await drive.until(awake, 'running');
    await drive.until(asleep, 'hibernated');
    await milestone();
    await Promise.all([drive.wake(asleep), drive.sleep(awake).then(() => drive.wake(awake))]);
    drive.mustHold(awake, 'awake');
    drive.mustHold(asleep, 'asleep');
    await Promise.all([drive.remove(awake), drive.remove(asleep)]);
  },

  'a rewound Redis': async (drive, milestone) => {
    const id = await drive.createRunning();
    drive.type(id, 'one');
    await drive.stage.redis.set(keys.moves, 0);
    const closed = await drive.stage.redis.get(keys.epoch);
    await whenTrue('another epoch is open', async () => ![null, closed].includes(await drive.stage.redis.get(keys.epoch)), { explain: () => drive.stage.said });
    await drive.until(id, 'running');
    await milestone();
    await drive.sleep(id);
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  },
};
