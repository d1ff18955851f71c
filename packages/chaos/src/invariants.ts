import { type SessionRecord, repositoryOf, secretNameOf, serviceNameOf, stateTable } from '@vibe/contracts';
import { type AuditEntry, readAudit } from '@vibe/session-store';
import { downloadImage, mergeLayers } from '@vibe/testkit';
import { BrokenPromise } from './broken';
import { LOGIN, SESSIONS_PER_USER } from './installation';
import type { Life, People } from './life';
import { holdQuota } from './quota';
import type { World } from './world';

/** More than any history writes. */
const AUDIT_MAX = 10_000;

const isUp = (world: World): boolean => world.ground.redis.status === 'ready';

/** What holds at every moment, whatever has just happened. */
export async function holdAlways(people: People, world: World): Promise<void> {
  for (const life of people.lives) await holdLife(life, world);
  if (world.isRedisDoubtful || !isUp(world)) return;
  for (const userId of new Set(people.lives.map((life) => life.userId))) {
    const held = (await world.store.listByUser(userId)).filter(({ state }) => stateTable[state].countsInQuota).length;
    if (held > SESSIONS_PER_USER) throw new BrokenPromise('broken', `I4: ${userId} holds ${held} sessions`);
  }
}

async function holdLife(life: Life, world: World): Promise<void> {
  life.hearTheEnd();
  const all = world.containersOf(life.id);
  const tasks = new Set(world.fake.swarm.tasks.map(({ containerId }) => containerId));
  const live = all.filter(({ container, node }) => container.isAlive && node.state === 'ready' && tasks.has(container.id));
  if (live.length > 1) throw new BrokenPromise('broken', `I3: session ${life.id} has ${live.length} live containers`);
  const record = isUp(world) ? await world.store.get(life.id) : null;
  const running = all.filter(({ container, node }) => container.status === 'running' && node.state === 'ready');
  for (const { container } of running) {
    const gen = Number(container.labels['vibe.gen']);
    // One that was given up before its terminal opened has nobody who types; it waits to be removed.
    if (record?.state === 'hibernated' && record.gen === gen && gen === life.highestGen && !world.isRedisDoubtful && life.excuse === null) {
      throw new BrokenPromise('lost', `I2: session ${life.id} is hibernated, and its container of generation ${gen} runs on: what is typed into it is acknowledged and gone`);
    }
    if (record?.state === 'running' && record.gen === gen) life.opens(gen, container);
    if (container === life.tab && record?.state !== 'waking') life.hear(container);
  }
}

/** What holds when everything is well again and nothing is under way: I1 to I8. */
export async function holdAtRest(people: People, world: World): Promise<void> {
  for (const life of people.lives) await holdEnd(life, world);
  const entries = (await readAudit(world.ground.redis, AUDIT_MAX)).reverse();
  await holdAudit(entries, world);
  await holdQuota(entries, world);
  await holdShelf(world);
}

/** I5, in the registry: each session has the snapshot that its record names, and no other. */
async function holdShelf(world: World): Promise<void> {
  const { store } = world.ground.registry;
  for (const record of await world.store.getMany(await world.store.allIds())) {
    const tags = [...(store.repository(repositoryOf(record.id))?.tags ?? [])];
    const strange = tags.filter(([, digest]) => digest !== record.snapshot_digest).map(([tag]) => tag);
    if (strange.length > 0) throw new BrokenPromise('orphans', `I5: the registry still has ${strange.join(', ')} of session ${record.id}, which is ${record.state}`);
    // It could still be read by its digest, but a rebuild goes by tags.
    if (record.state === 'hibernated' && tags.length === 0) throw new BrokenPromise('lost', `I5: the snapshot of session ${record.id} has no tag in the registry`);
  }
}

async function holdEnd(life: Life, world: World): Promise<void> {
  const record = await world.store.get(life.id);
  if (!record) {
    if (life.wasOpen && life.excuse === null) throw new BrokenPromise('lost', `I1: session ${life.id} is gone without a word`);
    return;
  }
  if (record.gen < life.highestGen && life.excuse === null) throw new BrokenPromise('broken', `I6: session ${life.id} went back from generation ${life.highestGen} to ${record.gen}`);
  switch (record.state) {
    case 'running':
      return holdRunning(life, record, world);
    case 'hibernated':
      return holdHibernated(life, record, world);
    case 'lost':
    case 'failed':
      if (record.reason === undefined) throw new BrokenPromise('broken', `I1: session ${life.id} is ${record.state} and does not say why`);
      if (life.wasOpen && life.excuse === null) throw new BrokenPromise('lost', `I1: session ${life.id} is ${record.state}: ${record.reason}`);
      return holdEmpty(life, record, world);
    case 'creating':
    case 'hibernating':
    case 'waking':
    case 'deleting':
      throw new BrokenPromise('stuck', `I1: session ${life.id} is ${record.state} for ever (${record.step ?? 'no step'}, ${record.reason ?? 'no reason'})`);
  }
}

function holdRunning(life: Life, record: SessionRecord, world: World): void {
  const mine = world.containersOf(life.id).filter(({ container }) => container.isAlive);
  const [only] = mine;
  if (!only || mine.length > 1 || only.container.id !== record.container_id) throw new BrokenPromise(life.excuse === null ? 'lost' : 'broken', `I1: session ${life.id} is running, and ${mine.length} containers of it live`);
  if (only.container.status !== 'running') throw new BrokenPromise('stuck', `I1: session ${life.id} is running, and its container is ${only.container.status}`);
  holdServed(record, world);
  life.require(only.container.files);
}

/** I5, in the Swarm: what runs has the service that keeps it and the secret that its terminal was given, of its own generation. */
function holdServed({ id, gen, service_id }: SessionRecord, world: World): void {
  const { services, secrets } = world.fake.swarm;
  const service = services.find(({ spec }) => spec.Name === serviceNameOf(id));
  if (!service || service.id !== service_id) throw new BrokenPromise('broken', `I5: session ${id} is running, and its service is ${service ? 'not the one of its record' : 'gone'}`);
  if (!secrets.some(({ name }) => name === secretNameOf(id, gen))) throw new BrokenPromise('broken', `I5: session ${id} is running, and its secret is gone`);
}

/** I1: what has no container by its record has none, not even one that ended. */
function holdEmpty({ id }: Life, { state }: SessionRecord, world: World): void {
  if (world.containersOf(id).length > 0) throw new BrokenPromise('orphans', `I1: session ${id} is ${state} and has a container`);
}

async function holdHibernated(life: Life, record: SessionRecord, world: World): Promise<void> {
  holdEmpty(life, record, world);
  const source = { repository: repositoryOf(life.id), reference: record.snapshot_digest ?? '' };
  const image = await downloadImage({ url: world.ground.registry.url, login: LOGIN }, source).catch((error: unknown) => {
    throw new BrokenPromise(life.excuse === null ? 'lost' : 'broken', `I1: the snapshot of session ${life.id} is not in the registry: ${String(error)}`);
  });
  life.require(mergeLayers(image.layers));
}

/** I8: one entry a move. An adopted record begins a new chain. @param entries the oldest first */
async function holdAudit(entries: readonly AuditEntry[], world: World): Promise<void> {
  const last = new Map<string, { rev: number; state: string }>();
  for (const { session, action, rev, from, to } of entries) {
    const before = last.get(session);
    if (action === 'move' && before && (before.rev + 1 !== Number(rev) || before.state !== from)) {
      throw new BrokenPromise('broken', `I8: session ${session} went from ${before.state} (rev ${before.rev}) to ${to} (rev ${rev}) without an entry between`);
    }
    if (action === 'remove') last.delete(session);
    else last.set(session, { rev: Number(rev), state: to });
  }
  for (const [session, { rev, state }] of last) {
    const record = await world.store.get(session);
    if (record?.rev !== rev || record.state !== state) throw new BrokenPromise('broken', `I8: session ${session} is ${record?.state ?? 'gone'} (rev ${record?.rev ?? 0}), its last entry says ${state} (rev ${rev})`);
  }
}

/** Nothing of any session is left anywhere: after all were deleted. */
export function holdNothingLeft(world: World): void {
  const { swarm } = world.fake;
  const left = [
    ...swarm.services.map(({ spec }) => `service ${spec.Name}`),
    ...swarm.secrets.map(({ name }) => `secret ${name}`),
    ...swarm.nodes.flatMap((node) => [...node.containers.values()].map(({ name }) => `container ${name} on ${node.name}`)),
    ...swarm.nodes.flatMap((node) => node.images.listed().filter(({ config }) => config.Labels['vibe.session'] !== undefined).map((image) => `image ${[...image.tags, ...image.digests].join(' ')} on ${node.name}`)),
    ...world.ground.registry.store.names().flatMap((name) => (name === 'vibe-terminal' ? [] : [...(world.ground.registry.store.repository(name)?.tags.keys() ?? [])].map((tag) => `tag ${name}:${tag}`))),
  ];
  if (left.length > 0) throw new BrokenPromise('orphans', `I5: after everything was deleted there is still: ${left.join(', ')}`);
}
