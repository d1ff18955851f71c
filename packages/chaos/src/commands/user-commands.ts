import { isCoded, isRedisAway } from '@vibe/platform';
import type { ApiProcess } from '../api-process';
import type { Fault } from '../gate';
import { Life } from '../life';
import type { World } from '../world';
import { type Command, command, tellFault } from './command';

/** What a user is told that is no fault of ours: the quota, no room, a rebuild, a state that forbids it, no Redis. */
const REFUSALS = ['no_capacity', 'rebuilding', 'gone', 'not_found', 'wrong_state', 'unavailable'] as const;

/** A call of the API, under a fault. An API that was killed is started again. Returns what the caller heard, and whether they were refused. */
async function ask<T>(world: World, fault: Fault | null, call: (api: ApiProcess) => Promise<T>): Promise<{ readonly heard: T | null; readonly isRefused: boolean }> {
  const { api } = world;
  let heard: T | null = null;
  const end = await api.gate.work(fault, async () => {
    heard = await call(api);
  });
  if (end.isMet && fault) world.noteFault(`API: a call ${fault.fate}`);
  if (end.end === 'dead') await world.startApi();
  const isRefused = end.end === 'failed' && !end.isMet && REFUSALS.some((code) => isCoded(end.error, code));
  if (end.end === 'failed' && !end.isMet && !isRefused && !isRedisAway(end.error)) throw end.error;
  return { heard, isRefused };
}

export const create = (userId: string, fault: Fault | null): Command =>
  command(`${userId} makes a session${tellFault(fault)}`, async (people, world) => {
    const { heard } = await ask(world, fault, (api) => api.create(userId));
    if (heard?.outcome === 'created') people.lives.push(new Life(heard.record.id, userId));
  });

/** The user types into whatever container their open tab is connected to. */
export const type = (n: number): Command =>
  command(`somebody types into session ${n}`, async (people, world) => {
    const life = people.life(n);
    if (!life) return;
    const reachable = world.containersOf(life.id).filter(({ container, node }) => container.isAlive && node.state === 'ready');
    // Only a terminal that was open has a tab, and a tab stays with the container it was opened for.
    const tab = reachable.find(({ container }) => container === life.tab);
    if (tab) life.type(tab.container);
  });

export const comeBack = (n: number, fault: Fault | null): Command =>
  command(`the user of session ${n} comes back${tellFault(fault)}`, async (people, world) => {
    const life = people.life(n);
    if (life) await ask(world, fault, (api) => api.open(life.userId, life.id));
  });

export const askSleep = (n: number, fault: Fault | null): Command =>
  command(`session ${n} is sent to sleep${tellFault(fault)}`, async (people, world) => {
    const life = people.life(n);
    if (life) await ask(world, fault, (api) => api.hibernate(life.userId, life.id));
  });

export const remove = (n: number, fault: Fault | null): Command =>
  command(`session ${n} is deleted${tellFault(fault)}`, async (people, world) => {
    const life = people.life(n);
    if (!life) return;
    const { isRefused } = await ask(world, fault, (api) => api.delete(life.userId, life.id));
    // A call that hung or was not answered may yet be done.
    if (!isRefused) life.forgive('it was deleted');
  });
