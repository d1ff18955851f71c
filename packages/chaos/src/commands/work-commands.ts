import type { TickName } from '@vibe/reaper/schedules';
import { isRedisAway } from '@vibe/platform';
import type { JobContext } from '@vibe/session-store';
import { DelayedError } from 'bullmq';
import type { Fault, WorkEnd } from '../gate';
import { IDLE_MS, NODES, type NodeName } from '../installation';
import type { World } from '../world';
import { type Command, command, tellFault } from './command';

/** What a handler gets besides its payload, with a job that can be put off. */
const context = { signal: new AbortController().signal, token: 'token', job: { moveToDelayed: () => Promise.resolve() } } as unknown as JobContext;

/** Does one waiting job under a fault, and does with it what BullMQ would. False when no job waits that anybody can take. */
export async function workOnce(world: World, n: number, fault: Fault | null, sessionId?: string): Promise<boolean> {
  const taken = world.jobFor(n, sessionId);
  if (!taken) return false;
  const { job, agent } = taken;
  const end = await agent.gate.work(fault, () => agent.handle(job, context));
  if (end.isMet && fault) world.noteFault(`agent: a call ${fault.fate}`);
  switch (end.end) {
    case 'done':
      world.line.done(job);
      break;
    case 'failed':
      if (end.error instanceof DelayedError) world.line.again(job);
      else world.line.failed(job);
      break;
    case 'stalled':
      // Its lock is lost: somebody else gets it, while this one hangs and may go on.
      world.line.again(job);
      break;
    case 'dead':
      world.line.again(job);
      agent.kill();
      break;
  }
  return true;
}

export const work = (n: number, fault: Fault | null): Command =>
  command(`a job is taken${tellFault(fault)}`, async (_people, world) => void (await workOnce(world, n, fault)));

export const workOn = (n: number, fault: Fault | null): Command =>
  command(`the job of session ${n} is taken${tellFault(fault)}`, async (people, world) => void (await workOnce(world, 0, fault, people.life(n)?.id)));

export const workSome = (jobs: number): Command =>
  command(`${jobs} jobs are taken`, async (_people, world) => {
    for (let left = jobs; left > 0 && (await workOnce(world, 0, null)); left -= 1) await world.quiet();
  });

async function afterReaper(world: World, fault: Fault | null, end: WorkEnd & { isMet: boolean }): Promise<void> {
  if (end.isMet && fault) world.noteFault(`reaper: a call ${fault.fate}`);
  // One that hangs is found by its pulse, and Swarm starts another; it may wake up late.
  if (end.end === 'dead') world.reaper.kill();
  if (end.end === 'dead' || end.end === 'stalled') await world.startReaper();
  if (end.end === 'failed' && !end.isMet && !isRedisAway(end.error) && !String(end.error).includes('registry')) throw end.error;
}

export const tick = (name: TickName, fault: Fault | null): Command =>
  command(`the reaper's ${name}${tellFault(fault)}`, async (_people, world) => afterReaper(world, fault, await world.reaper.gate.work(fault, () => world.reaper.tick(name))));

export const lookAtEpoch = (fault: Fault | null): Command =>
  command(`the reaper looks at the epoch${tellFault(fault)}`, async (_people, world) =>
    afterReaper(world, fault, await world.reaper.gate.work(fault, async () => void (await world.reaper.look()))),
  );

export const rounds = (name: NodeName, fault: Fault | null): Command =>
  command(`the rounds of the agent on ${name}${tellFault(fault)}`, async (_people, world) => {
    for (const agent of world.agentsOn(name)) {
      const end = await agent.gate.work(fault, async () => {
        await agent.resync();
        await agent.report();
      });
      if (end.isMet && fault) world.noteFault(`agent: a round ${fault.fate}`);
      if (end.end === 'dead') agent.kill();
      if (end.end === 'failed' && !end.isMet && !isRedisAway(end.error)) throw end.error;
    }
  });

/** Nobody does anything for the idle time, but the clocks go on: what can be put to sleep is claimed. */
export const goIdle: Command = command('nobody does anything for two hours', async (_people, world) => {
  await world.skipClock(IDLE_MS + 60_000);
  for (const name of NODES) {
    for (const agent of world.agentsOn(name)) {
      await agent.gate.work(null, async () => {
        await agent.resync();
        await agent.report();
      });
    }
  }
  await world.reaper.gate.work(null, () => world.reaper.tick('idle'));
});

export const doubleJob = (n: number): Command =>
  command('a job is delivered twice', async (_people, world) => {
    if (world.line.length > 0) world.noteFault('queue: a job delivered twice');
    world.line.double(n);
  });

export const wakeStalled: Command = command('what hung goes on', async (_people, world) => {
  if (world.stalledCalls > 0) world.noteFault('a hung process that woke up late');
  world.wakeStalled();
});
