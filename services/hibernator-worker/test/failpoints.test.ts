import { SWARM_QUEUE, type SessionRecord, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import { armFailpoints, hitFailpoints } from '@vibe/platform';
import { Agents } from './agents';
import { failpointsOf } from './failpoints-list';
import { contextOf } from './job-line';

/** Those on the way of every life; the others, and what dies or stands still as a process, are in failpoints-process.test.ts. */
const failpoints = failpointsOf('hibernator-worker')
  .filter(({ journey }) => journey === 'a whole life')
  .map(({ name }) => name);

/** A handler that takes longer than this hangs; one that is only slow is left behind as well, and must do no harm either. */
const HANG_LOOK_MS = 1_000;

// A whole life with three crashes: generous, because it only ends what hangs where it must not.
jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());
afterEach(() => armFailpoints(''));

/** Takes what waits while a failpoint is armed: a job that throws ends, one that hangs is left behind. */
async function drainBroken(): Promise<void> {
  while (agents.line.waiting.length > 0) {
    const job = agents.line.waiting.shift()!;
    const done = agents.take(job, contextOf()).catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const hung = new Promise<void>((resolve) => (timer = setTimeout(resolve, HANG_LOOK_MS)));
    await Promise.race([done, hung]);
    clearTimeout(timer);
  }
}

const LOOK_EVERY_MS = 10;

/** What the reaper does about a claim whose job is gone. */
async function addAgain(id: string): Promise<void> {
  const record = await agents.store.get(id);
  if (!record) return;
  const work = { session_id: id, rev: record.rev };
  if (record.state === 'creating' || record.state === 'waking') await agents.line.add(SWARM_QUEUE, swarmJobs.start, work);
  if (record.state === 'deleting') await agents.line.add(SWARM_QUEUE, swarmJobs.erase, work);
  if (record.state === 'hibernating') await agents.line.add(nodeQueueOf(record.node_id!), nodeJobs.hibernate, work);
  if (record.state === 'hibernated') await agents.line.add(SWARM_QUEUE, swarmJobs.retire, { ...work, gen: record.gen, service_id: null });
}

const lookEverywhere = () => Promise.all([...agents.byName.values()].map(({ watch }) => watch.resync()));

/**
 * A container that was asked for is on its way: it opens, or the failpoint is met. New agents that came before that would meet it
 * themselves.
 */
async function untilOpenOrBroken(id: string): Promise<void> {
  for (;;) {
    const state = (await agents.store.get(id))?.state;
    if (hitFailpoints().size > 0 || (state !== 'creating' && state !== 'waking')) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Breaks one stretch of a session's life where the failpoint is armed, and lets the work go on: with these agents or new ones. */
async function broken(retriedBy: 'same' | 'other', id: string): Promise<void> {
  await drainBroken();
  await untilOpenOrBroken(id);
  if (retriedBy === 'other') await agents.replaceAll();
  for (let round = 0; round < 3; round++) {
    await addAgain(id);
    await agents.drain();
    await lookEverywhere();
  }
}

async function sleepFor(record: SessionRecord): Promise<void> {
  // An attempt that was given up ends in `running`; the next one is a claim of its own.
  if ((await agents.require(record.id)).state !== 'running') return;
  await agents.claimSleep(record);
  await agents.drain();
}

describe.each([
  { action: 'throw', retriedBy: 'same' },
  { action: 'throw', retriedBy: 'other' },
  { action: 'hang', retriedBy: 'other' },
] as const)('a handler that meets its end by a $action, its work taken up by the $retriedBy', ({ action, retriedBy }) => {
  it.each(failpoints)('at %s loses nothing and leaves nothing', async (name) => {
    armFailpoints(`${name}=${action}`);
    const { id } = await agents.claimCreate();
    await broken(retriedBy, id);
    const record = await agents.until(id, 'running');
    agents.containerOf(id).type(`typed before ${name}`);

    await agents.claimSleep(record);
    await broken(retriedBy, id);
    await sleepFor(record);
    const asleep = await agents.until(id, 'hibernated');
    await agents.fake.swarm.when('no container lives', () => agents.fake.swarm.containersOf(id).length === 0);

    await agents.claimWake(id);
    await broken(retriedBy, id);
    await agents.until(id, 'running');
    expect(agents.containerOf(id).files.get('/home/vibe/workspace/typed')).toBe(`typed before ${name}\n`);
    expect((await agents.require(id)).gen).toBeGreaterThan(asleep.gen);
    expect(agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id))).toHaveLength(1);

    const moved = await agents.store.move({ id, rev: (await agents.require(id)).rev, to: 'deleting', actor: 'test' });
    expect(moved.outcome).toBe('moved');
    await addAgain(id);
    await broken(retriedBy, id);
    expect(await agents.store.get(id)).toBeNull();
    expect(agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id))).toEqual([]);
    expect(agents.fake.swarm.secrets.filter((secret) => secret.name.includes(id))).toEqual([]);
    // A failpoint that nothing meets tests nothing.
    expect(hitFailpoints()).toContain(name);
  });
});
