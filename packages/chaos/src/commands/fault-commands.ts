import type { SessionRecord, SessionState } from '@vibe/contracts';
import type { FakeContainer, PushFault, RegistryFault } from '@vibe/testkit';
import { NODES, type NodeName, TTL_MS } from '../installation';
import { EXPIRED, type Life, type People } from '../life';
import type { World } from '../world';
import { type Command, command } from './command';

/**
 * The container ended while it was frozen, and its record does not say so: Redis was rewound to before the freeze. An agent that has
 * just started takes it for one that ended in use: docs/session-lifecycle.md, "What the proof cannot see".
 */
const UNKNOWN_FREEZE = 'it ended frozen, and Redis was rewound to before the freeze';
const beforeAnyFreeze: readonly SessionState[] = ['creating', 'waking', 'running'];
const isUnknown = (record: SessionRecord | null, container: FakeContainer): boolean => record !== null && beforeAnyFreeze.includes(record.state) && record.frozen_container !== container.id;

const MINUTE_MS = 60_000;

/** Its terminal never opened, or its snapshot is proven: nothing is lost with a container of it. */
const isUnopened = (record: SessionRecord | null, world: World): boolean => !world.isRedisDoubtful && (record?.state === 'waking' || record?.state === 'hibernated');

const workersOnly = (name: NodeName): boolean => name !== 'manager';

/**
 * A container that dies takes its data with it. Not one that is frozen: all that was acknowledged is in its layer, and its record
 * says so, or there is none and it is saved to be sure. Nor one that never opened: its snapshot is untouched.
 */
async function endContainer(world: World, life: Life, container: FakeContainer): Promise<void> {
  const record = await world.store.get(life.id);
  const isSafe = container.status === 'paused' || isUnopened(record, world);
  if (!isSafe) life.forgive('its container ended');
  else if (!isUnopened(record, world) && isUnknown(record, container)) life.forgive(UNKNOWN_FREEZE);
  container.end();
}

export const containerEnds = (n: number): Command =>
  command(`the container of session ${n} is killed`, async (people, world) => {
    const life = people.life(n);
    const [alive] = life ? world.containersOf(life.id).filter(({ container }) => container.isAlive) : [];
    if (!life || !alive) return;
    world.noteFault('container killed');
    await endContainer(world, life, alive.container);
  });

/** A restart of the Engine ends all that runs on its node; the layers stay. */
export const engineRestarts = (name: NodeName): Command =>
  command(`the Engine of ${name} restarts`, async (people, world) => {
    const node = world.node(name);
    if (node.state !== 'ready') return;
    world.noteFault('Engine restarted');
    for (const container of [...node.containers.values()].filter(({ isAlive }) => isAlive)) {
      const life = people.of(container.labels['vibe.session'] ?? '');
      if (life) await endContainer(world, life, container);
    }
  });

/** A node takes what is frozen there along; what sleeps or wakes has its snapshot. */
async function forgiveOn(people: People, world: World, name: NodeName): Promise<void> {
  const here = (life: Life): boolean => world.containersOf(life.id).some(({ node }) => node.name === name);
  for (const life of people.lives.filter(here)) {
    const record = await world.store.get(life.id);
    if (record?.state !== 'hibernated' && !isUnopened(record, world)) life.forgive('its node went down');
  }
}

export const nodeDown = (name: NodeName): Command =>
  command(`the node ${name} goes down`, async (people, world) => {
    const node = world.node(name);
    if (!workersOnly(name) || node.state === 'down') return;
    world.noteFault('node down');
    await forgiveOn(people, world, name);
    for (const agent of world.agentsOn(name)) agent.kill();
    world.fake.swarm.nodeDown(node);
  });

export const nodeBack = (name: NodeName): Command =>
  command(`the node ${name} comes back`, async (_people, world) => bringBack(world, name));

/** The node is there again, with an agent. */
export async function bringBack(world: World, name: NodeName): Promise<void> {
  const node = world.node(name);
  if (node.state === 'down') world.fake.swarm.nodeBack(node);
  if (world.agentsOn(name).length === 0) await world.startAgent(name);
}

export const agentDies = (name: NodeName): Command =>
  command(`the agent on ${name} is killed and started again`, async (_people, world) => {
    const living = world.agentsOn(name);
    if (world.node(name).state === 'down') return;
    world.noteFault('agent killed');
    for (const agent of living) agent.kill();
    await world.startAgent(name);
  });

/** Swarm starts an agent again wherever none lives. */
export const agentsAreBack: Command = command('agents that died are started again', async (_people, world) => {
  for (const name of NODES) if (world.node(name).state !== 'down' && world.agentsOn(name).length === 0) await world.startAgent(name);
});

export const secondAgent = (name: NodeName): Command =>
  command(`a second agent starts on ${name}`, async (_people, world) => {
    if (world.node(name).state === 'down' || world.agentsOn(name).length > 1) return;
    world.noteFault('second agent');
    await world.startAgent(name);
  });

export const registryDown: Command = command('the registry goes down', async (_people, world) => {
  world.noteFault('registry down');
  await world.ground.registry.down();
});

export const registryFails = (calls: RegExp, fault: RegistryFault): Command =>
  command(`the registry answers ${String(calls)} with ${JSON.stringify(fault)}`, async (_people, world) => {
    world.noteFault(typeof fault === 'string' ? `registry: ${fault}` : `registry: ${fault.status}`);
    world.ground.registry.fault(calls, fault);
  });

export const registryUp: Command = command('the registry is well', async (_people, world) => {
  world.ground.registry.clearFaults();
  await world.ground.registry.up();
});

export const pushGoesWrong = (name: NodeName, fault: PushFault | null): Command =>
  command(`pushes from ${name}: ${fault ?? 'well'}`, async (_people, world) => {
    if (fault) world.noteFault(`push ${fault}`);
    world.node(name).pushFault = fault;
  });

export const eventsAreLost = (name: NodeName, isLost: boolean): Command =>
  command(`events of ${name} are ${isLost ? 'lost' : 'told again'}`, async (_people, world) => {
    if (isLost) world.noteFault('events lost');
    world.node(name).isEventful = !isLost;
  });

/** A hibernation reads the counter twice; from the second time on nothing can help against a stranger. */
const WITNESS_READINGS = 2;

/** Somebody thaws the frozen container by hand, its user types on, and it may be frozen again before anybody looks. */
export const strayThaw = (n: number, isFrozenAgain: boolean): Command =>
  command(`the frozen container of session ${n} is thawed by hand${isFrozenAgain ? ' and frozen again' : ''}`, async (people, world) => {
    const life = people.life(n);
    const frozen = life && world.containersOf(life.id).find(({ container }) => container.status === 'paused');
    if (!life || !frozen || (await world.store.get(life.id))?.state !== 'hibernating' || world.hangsAfter('cpuCounter', WITNESS_READINGS)) return;
    world.noteFault('stray thaw');
    frozen.container.unpause();
    life.hear(frozen.container);
    life.type(frozen.container);
    if (isFrozenAgain) frozen.container.pause();
  });

export const redisRestarts: Command = command('Redis is killed and starts again', async (_people, world) => {
  world.noteFault('Redis killed');
  await world.ground.redisServer.kill();
  await world.ground.redisServer.restart();
  await world.redisIsBack();
});

export const redisIsEmptied: Command = command('Redis is emptied', async (_people, world) => {
  world.noteFault('Redis emptied');
  world.isRedisDoubtful = true;
  await world.images.empty();
});

export const redisIsRewound = (moments: number): Command =>
  command(`Redis is as it was ${moments + 1} moments ago`, async (people, world) => {
    if (!(await world.images.rewind(moments))) return;
    for (const life of people.lives) {
      const record = await world.store.get(life.id);
      const ended = world.containersOf(life.id).filter(({ container }) => !container.isAlive);
      if (ended.some(({ container }) => isUnknown(record, container))) life.forgive(UNKNOWN_FREEZE);
    }
    world.noteFault('Redis rewound');
    world.isRedisDoubtful = true;
  });

export const clockMoves = (ms: number): Command => command(`the clock moves by ${ms / 1_000} s`, async (_people, world) => world.skipClock(ms));

/** Just long enough for the last that fell asleep to expire; those before it are noticed late. */
export const aWeekPasses: Command = command('a week passes', async (people, world) => {
  world.noteFault('expiry');
  for (const life of people.lives) {
    const state = (await world.store.get(life.id))?.state;
    if (state !== 'running') life.forgive(EXPIRED);
  }
  const { store } = world;
  const asleep = (await store.getMany(people.lives.map(({ id }) => id))).filter(({ state }) => state === 'hibernated');
  const deadlines = await Promise.all(asleep.map(({ id }) => store.deadlineOf(id)));
  const now = await store.now();
  const last = Math.max(0, ...deadlines.map((at) => at ?? 0));
  await world.skipClock((last > now ? last - now : TTL_MS) + MINUTE_MS);
});

/** Somebody leaves something with our labels, and no record of it. */
export const orphanIsMade = (kind: 'image' | 'repository' | 'secret'): Command =>
  command(`an orphan is made: ${kind}`, async (_people, world) => {
    if (await world.makeOrphan(kind)) world.noteFault(`orphan: ${kind}`);
  });
