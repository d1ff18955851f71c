import { stateTable } from '@vibe/contracts';
import { Epoch } from '@vibe/session-store';
import { BrokenPromise } from './broken';
import { workOnce } from './commands/work-commands';
import { bringBack } from './commands/fault-commands';
import { NODES } from './installation';
import type { World } from './world';

/** Rounds of a minute each: longer than every deadline and every wait for another try. */
const ROUNDS_MAX = 45;
const ROUND_MS = 61_000;
const JOBS_MAX = 200;

/**
 * Every fault ends: what was down is up, what hung goes on and finds the world changed, what was dead is replaced. Work that waited
 * behind a lock may still have its own fault before it.
 */
export async function calm(world: World): Promise<void> {
  const { registry } = world.ground;
  registry.clearFaults();
  await registry.up();
  for (const name of NODES) Object.assign(world.node(name), { pushFault: null, isEventful: true });
  do {
    world.wakeStalled();
    await world.quiet();
  } while (world.stalledCalls > 0);
  for (const name of NODES) await bringBack(world, name);
  await world.quiet();
}

/** Does all jobs that wait; returns how many there were. */
async function drain(world: World): Promise<number> {
  let jobs = 0;
  for (; await workOnce(world, 0, null); jobs += 1) {
    if (jobs > JOBS_MAX) throw new BrokenPromise('stuck', `the queue never ends: ${world.line.image().map(({ id }) => id).join(', ')}`);
    await world.quiet();
  }
  return jobs;
}

/** One minute of everybody's rounds; returns how many jobs it took. What a rebuild adopts is the agents' to look at first. */
async function round(world: World): Promise<number> {
  await world.reaper.gate.work(null, async () => void (await world.reaper.look()));
  await world.quiet();
  for (const agent of world.agents.filter(({ gate }) => !gate.isDead)) {
    await agent.gate.work(null, async () => {
      await agent.resync({ isIdleClockRead: false });
      await agent.report();
    });
  }
  await world.quiet();
  const { reaper } = world;
  await reaper.gate.work(null, async () => {
    if (!(await isOpen(world))) return;
    world.vouch();
    for (const tick of ['deadlines', 'reconcile', 'registryCare'] as const) await reaper.tick(tick);
  });
  const jobs = await drain(world);
  await world.quiet();
  return jobs;
}

/** Only asks: the reaper's own look rebuilds. */
const isOpen = (world: World): Promise<boolean> => new Epoch(world.ground.redis).isOpen();

/** What is still on its way, in words; null at rest. */
async function underWay(world: World): Promise<string | null> {
  if (!(await isOpen(world))) return 'the rebuild';
  const records = await world.store.getMany(await world.store.allIds());
  const working = records.filter(({ state }) => stateTable[state].isWork);
  if (working.length > 0) return working.map(({ id, state, step, reason }) => `${id} is ${state} (${step ?? 'no step'}: ${reason ?? 'no reason'})`).join(', ');
  const plan = await world.reaper.plan();
  if (plan === null) return 'no manager tells of the Swarm';
  if (plan.length > 0) return plan.map(({ kind, why }) => `${kind}: ${why}`).join(', ');
  return world.line.length > 0 ? `jobs that nobody takes: ${world.line.image().map(({ queue, id }) => `${queue} ${id}`).join(', ')}` : null;
}

/**
 * Lets minutes pass until nothing is under way any more: a whole round did no job, and everybody's plan is empty (what waits for
 * a second sighting stands in it). @throws BrokenPromise when that never comes
 */
export async function settle(world: World): Promise<void> {
  let open: string | null = '';
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds += 1) {
    const jobs = await round(world);
    open = await underWay(world);
    if (jobs === 0 && open === null) return;
    await world.skipClock(ROUND_MS);
  }
  throw new BrokenPromise('stuck', `after ${ROUNDS_MAX} minutes there is still: ${open ?? 'another job each minute'}`);
}

/** A reaper reads the registry's whole catalogue in its first round and in every tenth after it, and must see twice what it takes away. */
const ROUNDS_TO_A_WHOLE_ONE = 10;

/** Lets registry care come to its end: by the reaper that is there, in so many rounds, or by a new one, in two. */
export async function careForRegistry(world: World, { isReaperNew = false } = {}): Promise<void> {
  if (isReaperNew) {
    world.reaper.kill();
    await world.startReaper();
  }
  for (let rounds = 0; rounds < (isReaperNew ? 2 : ROUNDS_TO_A_WHOLE_ONE + 1); rounds += 1) {
    await world.reaper.tick('registryCare');
    await world.skipClock(ROUND_MS);
  }
}
