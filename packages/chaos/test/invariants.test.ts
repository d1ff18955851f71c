import { newSessionId, repositoryOf, secretNameOf, serviceNameOf } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import type { Command } from '../src/commands/command';
import { nodeDown, redisIsEmptied } from '../src/commands/fault-commands';
import { askSleep, comeBack, create, type } from '../src/commands/user-commands';
import { workSome } from '../src/commands/work-commands';
import { NODES, SESSIONS_PER_USER, USERS, agentSettings } from '../src/installation';
import { holdAlways, holdAtRest, holdNothingLeft } from '../src/invariants';
import { type Life, People, TYPED, WHOSE } from '../src/life';
import { settle } from '../src/settle';
import { Ground, World } from '../src/world';

jest.setTimeout(300_000);

const [ANN, BOB] = USERS;

let ground: Ground;
let world: World;
let people: People;
let ann: Life;
let bob: Life;
beforeAll(async () => void (ground = await Ground.lay()));
afterAll(() => ground.remove());

/** Ann's session runs, Bob's sleeps, both have been typed into. */
beforeEach(async () => {
  world = await World.begin(ground);
  people = new People();
  const run = async (steps: readonly Command[]): Promise<void> => {
    for (const step of steps) await step.run(people, world);
    await settle(world);
  };
  await run([create(ANN, null), create(BOB, null), workSome(2)]);
  await run([type(0), type(1), askSleep(1, null)]);
  [ann, bob] = people.lives as [Life, Life];
  expect(await Promise.all([ann, bob].map(async ({ id }) => (await world.store.get(id))?.state))).toEqual(['running', 'hibernated']);
});
afterEach(() => world.end());

const look = async (): Promise<void> => {
  await holdAlways(people, world);
  await holdAtRest(people, world);
};
const containerOf = (life: Life) => {
  const [only] = world.containersOf(life.id);
  if (!only) throw new Error('it has no container');
  return only;
};
/** Its agent does not hear of it, and repairs nothing. */
const unheard = (life: Life) => {
  const { node, container } = containerOf(life);
  node.isEventful = false;
  return { node, container };
};
const write = (life: Life, fields: Record<string, string | number>) => ground.redis.hset(keys.session(life.id), fields);

function removeContainer(life: Life): void {
  const { node, container } = unheard(life);
  node.removeContainer(container);
}

/** Another task of the same session, with a container that lives. */
function twice(life: Life): void {
  const { container } = containerOf(life);
  const { swarm } = world.fake;
  const { name, image, reference, labels } = container;
  const [task] = swarm.tasks.filter(({ containerId }) => containerId === container.id);
  if (!task) throw new Error('it has no task');
  swarm.tasks.push({ ...task, id: 'another', containerId: world.node('manager').run({ name: `${name}-another`, image, reference, labels }).id });
}

async function beyondQuota(userId: string): Promise<void> {
  for (let more = 0; more < SESSIONS_PER_USER; more += 1) await world.store.create({ id: newSessionId(), userId, name: 'more', baseImage: agentSettings.BASE_IMAGE, maxPerUser: 9, actor: 'by hand' });
}

/** Redis was emptied, and everything was put together again. */
async function rebuilt(): Promise<void> {
  await redisIsEmptied.run(people, world);
  await settle(world);
}

/** Bob's session wakes, and both workers go down before its terminal listens. */
async function nodesDownInAWake(): Promise<void> {
  world.fake.swarm.startPlan = () => 'hangs';
  for (const step of [comeBack(1, null), workSome(1)]) await step.run(people, world);
  expect(await world.store.get(bob.id)).toMatchObject({ state: 'waking' });
  expect(world.containersOf(bob.id)).toHaveLength(1);
  for (const name of NODES) await nodeDown(name).run(people, world);
}

/** It is over, and says why, which is within the promises. */
const over = (life: Life, state: 'lost' | 'failed') => (life.forgive('by hand'), write(life, { state, reason: 'by hand' }));

function removeService(life: Life): void {
  const { services } = world.fake.swarm;
  services.splice(services.findIndex(({ spec }) => spec.Name === serviceNameOf(life.id)), 1);
}

function removeSecret(life: Life): void {
  const { secrets } = world.fake.swarm;
  secrets.splice(secrets.findIndex(({ name }) => name === secretNameOf(life.id, life.highestGen)), 1);
}

function keepTag(life: Life): void {
  ground.registry.store.repository(repositoryOf(life.id))?.tags.set('g9-r9-byhand', `sha256:${'9'.repeat(64)}`);
}

/** Removes one entry of the audit stream; the newest are of Bob's sleep. */
async function dropEntry(fromTheEnd: number): Promise<void> {
  const entry = (await ground.redis.xrevrange(keys.audit, '+', '-')).at(fromTheEnd);
  if (!entry) throw new Error('there is no such entry');
  await ground.redis.xdel(keys.audit, entry[0]);
}

/** What is broken by hand, behind the product's back, and what must be said of it. */
const broken: readonly (readonly [what: string, harm: string, said: RegExp, byHand: () => unknown])[] = [
  ['a record is gone', 'lost', /^I1: .* is gone without a word/, () => ground.redis.del(keys.session(ann.id))],
  ['a session is lost for no reason within the promises', 'lost', /^I1: .* is lost: so it is/, () => write(ann, { state: 'lost', reason: 'so it is' })],
  ['a session is lost and does not say why', 'broken', /^I1: .* does not say why/, () => write(ann, { state: 'lost' })],
  ['a session stays in a state that means work', 'stuck', /^I1: .* is waking for ever/, () => write(bob, { state: 'waking' })],
  ['a running session has no container', 'lost', /^I1: .* 0 containers of it live/, () => removeContainer(ann)],
  ['a running session stays frozen', 'stuck', /^I1: .* its container is paused/, () => unheard(ann).container.pause()],
  ['the snapshot is not in the registry', 'lost', /^I1: the snapshot of session .* is not in the registry/, () => ground.registry.store.repository(repositoryOf(bob.id))?.manifests.clear()],
  ['an acknowledged line is gone from a container', 'lost', /^I2: .* 1 lines were acknowledged/, () => containerOf(ann).container.write(TYPED, '')],
  ['an acknowledged line is not in a snapshot', 'lost', /^I2: .* 2 lines were acknowledged/, () => bob.acknowledged.push(`2 of ${bob.id}`)],
  ['a line was told while the frozen container was killed', 'lost', /^I2: .* 2 lines were acknowledged/, () => bob.tab?.toldAtTheEnd.push(`2 of ${bob.id}`)],
  ['a session sleeps by its record while its container runs', 'lost', /^I2: .* runs on/, () => write(ann, { state: 'hibernated' })],
  ['a sleeping session still has a container', 'orphans', /^I1: .* is hibernated and has a container/, () => (unheard(ann).container.pause(), write(ann, { state: 'hibernated' }))],
  ['a session has two live containers', 'broken', /^I3: .* 2 live containers/, () => twice(ann)],
  ['a session is lost and its container stays', 'orphans', /^I1: .* is lost and has a container/, () => over(ann, 'lost')],
  ['a session failed and its container stays', 'orphans', /^I1: .* is failed and has a container/, () => over(ann, 'failed')],
  ['a session is lost with the node on which it was waking', 'lost', /^I1: .* is lost: so it is/, async () => (await nodesDownInAWake(), await write(bob, { state: 'lost', reason: 'so it is' }))],
  ['a user has more than the quota', 'broken', /^I4: ann holds 3 sessions/, () => beyondQuota(ANN)],
  ['a user is given more than the quota after a rebuild', 'broken', /^I4: ann was given session .* and held 2 already/, async () => (await rebuilt(), await beyondQuota(ANN))],
  ['the quota does not count a session that a rebuild brought back', 'broken', /^I4: the quota does not count user:ann:sessions/, async () => (await rebuilt(), await ground.redis.del(keys.userSessions(ANN)))],
  ['the quota counts a session that is no more', 'broken', /^I4: the quota counts what has no record: user:bob:sessions/, () => ground.redis.sadd(keys.userSessions(BOB), newSessionId())],
  ['a running session has no service', 'broken', /^I5: .* its service is gone/, () => removeService(ann)],
  ['a running session has no secret', 'broken', /^I5: .* its secret is gone/, () => removeSecret(ann)],
  ['a snapshot has no tag', 'lost', /^I5: the snapshot of session .* has no tag/, () => ground.registry.store.repository(repositoryOf(bob.id))?.tags.clear()],
  ['the registry keeps what no record names', 'orphans', /^I5: the registry still has g9/, () => keepTag(bob)],
  ['a generation goes back', 'broken', /^I6: .* went back from generation 5 to 1/, () => ann.opens(5, containerOf(ann).container)],
  ['a session holds the secret of another', 'broken', /^I7: .* holds the secret of/, () => containerOf(ann).container.write(WHOSE, bob.id)],
  ['a session holds what was typed elsewhere', 'broken', /^I7: .* holds what was typed elsewhere/, () => containerOf(ann).container.write(TYPED, `1 of ${ann.id}\n1 of ${bob.id}\n`)],
  ['a move has no entry in the audit stream', 'broken', /^I8: .* without an entry between/, () => dropEntry(1)],
  ['the last move has none', 'broken', /^I8: .* its last entry says/, () => dropEntry(0)],
];

it('finds nothing where every promise holds', look);

it.each(broken)('says so when %s', async (_what, harm, said, byHand) => {
  await byHand();
  await expect(look()).rejects.toMatchObject({ name: 'BrokenPromise', harm, message: expect.stringMatching(said) as string });
});

it('says so when anything is left after everything was deleted (I5)', () => {
  for (const left of ['service', 'secret', 'container', 'image', 'tag']) {
    expect(() => holdNothingLeft(world)).toThrow(new RegExp(`^I5: .* ${left} `));
  }
});
