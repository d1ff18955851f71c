import { asyncModelRun } from 'fast-check';
import type { Command } from './commands/command';
import { BrokenPromise } from './broken';
import { create, type } from './commands/user-commands';
import { workSome } from './commands/work-commands';
import { USERS } from './installation';
import { holdAtRest, holdNothingLeft } from './invariants';
import { People } from './life';
import { calm, careForRegistry, settle } from './settle';
import type { Weakening } from './weakenings';
import { type Ground, World } from './world';

/** Longer than a tag that was never proven stays. */
const TAGS_GO_MS = 31 * 60_000;

/** Every history begins with a running session of each user, in use. */
const beginnings = [...USERS.map((user) => create(user, null)), workSome(USERS.length), ...USERS.map((_user, n) => type(n))];

/**
 * One cycle: a history, then the end of all faults, a time of rest, and the promises: everything acknowledged is there, wakes
 * up and can be deleted without a trace. @throws BrokenPromise
 */
export async function runHistory(ground: Ground, history: Iterable<Command>, options: { weaken?: Weakening; onFaults?: (faults: ReadonlyMap<string, number>) => void } = {}): Promise<void> {
  const mayRewind = [...history].some((command) => String(command).startsWith('Redis is as it was'));
  const world = await World.begin(ground, { mayRewind, ...(options.weaken ? { weaken: options.weaken } : {}) });
  const people = new People();
  try {
    for (const before of beginnings) await before.run(people, world);
    await asyncModelRun(() => ({ model: people, real: world }), history);
    await calm(world);
    await settle(world);
    await world.skipClock(TAGS_GO_MS);
    await careForRegistry(world);
    await holdAtRest(people, world);
    await wakeAll(people, world);
    await deleteAll(world);
  } finally {
    options.onFaults?.(world.faults);
    await world.end();
  }
}

/** Everybody comes back, and finds what was there. */
async function wakeAll(people: People, world: World): Promise<void> {
  for (const life of people.lives) {
    if ((await world.store.get(life.id))?.state !== 'hibernated') continue;
    await world.api.open(life.userId, life.id);
  }
  await settle(world);
  for (const life of people.lives) {
    const state = (await world.store.get(life.id))?.state;
    if (state === 'hibernated') throw new BrokenPromise('stuck', `I1: session ${life.id} does not wake: it is ${state}`);
  }
  await holdAtRest(people, world);
}

async function deleteAll(world: World): Promise<void> {
  for (const record of await world.store.getMany(await world.store.allIds())) await world.api.delete(record.user_id, record.id);
  await settle(world);
  await careForRegistry(world, { isReaperNew: true });
  holdNothingLeft(world);
}
