import { performance } from 'node:perf_hooks';
import { type ContainerReport, type SessionLabels, type SnapshotLabels, newAttempt, newSessionId, repositoryOf, secretNameOf, serviceNameOf, snapshotTagOf, terminalSocketOf, writeSessionLabels, writeSnapshotLabels } from '@vibe/contracts';
import type { AgentParts } from '@vibe/hibernator-worker/agent-parts';
import { createNodeReporter } from '@vibe/hibernator-worker/node-reporter';
import { allAtOnce } from '@vibe/reaper/all-at-once';
import { watchDeadlines } from '@vibe/reaper/deadlines';
import { EpochWatch } from '@vibe/reaper/epoch-watch';
import { addLostJobs } from '@vibe/reaper/lost-jobs';
import { reconcile } from '@vibe/reaper/reconcile';
import { RegistryCare } from '@vibe/reaper/registry-care';
import { RegistryClient } from '@vibe/registry';
import { NodeReports, readAudit } from '@vibe/session-store';
import { Engine } from '@vibe/swarm';
import { type FakeNode, type FakeRegistry, type FakeSwarm, type Layer, type RunningFakeSwarm, type TestRedis, packLayer, startFakeRegistry, startFakeSwarm, startRedis, uploadImage } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { createParts, skipClock } from '../../../services/reaper/test/reaper-under-test';
import { type ApiUnderTest, startApi } from '../../../services/session-api/test/api-under-test';

const OF_EACH = 800;
const USERS = 600;
const LIMIT_MS = 60_000;
const HOUR = 3_600_000;
const REGISTRY = 'registry:5000';
const BASE_IMAGE = `${REGISTRY}/vibe-terminal:1`;
type StoredService = FakeSwarm['services'][number];
type StoredImage = Awaited<ReturnType<FakeNode['load']>>;
const never = new AbortController().signal;
const atOnce = { limit: 16, signal: never };

jest.setTimeout(300_000);

let server: TestRedis;
let redis: Redis;
let registry: FakeRegistry;
let fake: RunningFakeSwarm;
let apis: ApiUnderTest[];
let under: ReturnType<typeof createParts>;
let shelf: RegistryClient;
let reportAll: () => Promise<void>;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  registry = await startFakeRegistry();
  await uploadImage({ url: registry.url }, { repository: 'vibe-terminal', tag: '1' }, { layers: [await packLayer(new Map([['/etc/base', 'base']]))], config: { Labels: {}, Env: [] } });
  const workers = [1, 2, 3, 4, 5].map((number) => ({ name: `worker${number}`, role: 'worker' as const, memoryBytes: 128 * 1024 ** 3 }));
  fake = await startFakeSwarm({ nodes: [{ name: 'manager', role: 'manager' }, ...workers], registries: { [REGISTRY]: { url: registry.url } } });
  apis = await Promise.all([startApi(server.url), startApi(server.url)]);
  shelf = new RegistryClient({ url: registry.url });
  const made = createParts(redis);
  under = { ...made, parts: { ...made.parts, registry: shelf } };
  reportAll = await reporters();
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.stop()));
  await shelf.close();
  await fake.stop();
  await registry.stop();
  await redis.quit();
  await server.stop();
});

/** Every agent's own reporter, on its own Engine. */
async function reporters(): Promise<() => Promise<void>> {
  const reports = new NodeReports(redis);
  const all = await Promise.all(
    fake.swarm.nodes.map(async (node) => {
      const engine = await Engine.connect({ ...fake.engine(node.name).address, registryUrl: REGISTRY, registryLogin: { username: 'vibe', password: 'x' } });
      const settings = { HOST_PROC: node.hostProc, BASE_IMAGE } as AgentParts['settings'];
      return createNodeReporter({ engine, store: under.parts.store, reports, settings, nodeId: node.id, disk: () => Promise.resolve({ totalBytes: 1e12, freeBytes: 9e11 }) } as unknown as AgentParts);
    }),
  );
  return async () => void (await Promise.all(all.map((report) => report())));
}

const userOf = (index: number): string => `u${index % USERS}`;
const labelsOf = (index: number): SessionLabels => ({ session_id: newSessionId(), user_id: userOf(index), gen: 1 + (index % 4), name: `name ${index}`, created_at: 1_000 + index });

/** Sessions that run: each a service with its secret and its container, laid down as Swarm would have placed them. */
async function startSessions(): Promise<SessionLabels[]> {
  const { swarm } = fake;
  const base = new Map<FakeNode, StoredImage>();
  for (const node of swarm.nodes) base.set(node, await node.load(BASE_IMAGE, new Map([['/etc/base', 'base']])));
  const workers = swarm.nodes.filter(({ role }) => role === 'worker');
  const all = Array.from({ length: OF_EACH }, (_, index) => labelsOf(index));
  for (const [index, session] of all.entries()) {
    const { session_id, gen } = session;
    const node = workers[index % workers.length] as FakeNode;
    const labels = writeSessionLabels(session);
    const [id, Name] = [`service${index}`, serviceNameOf(session_id)];
    swarm.secrets.push({ id: `secret${index}`, name: secretNameOf(session_id, gen), labels, data: 'x' });
    swarm.services.push({ id, createdAt: '', version: 1, auth: {}, spec: { Name, Labels: labels, TaskTemplate: { ContainerSpec: { Image: BASE_IMAGE, Secrets: [] } } } as unknown as StoredService['spec'] });
    const ofTask = { 'com.docker.swarm.service.id': id, 'com.docker.swarm.task.id': `task${index}`, 'com.docker.swarm.node.id': node.id };
    node.run({ name: `${Name}.1.task${index}`, image: base.get(node) as StoredImage, reference: BASE_IMAGE, labels: { ...labels, ...ofTask } }).listen();
  }
  return all;
}

/** Lays one snapshot into the registry, as a push leaves it. */
function shelve(labels: SnapshotLabels, layers: readonly Layer[]): void {
  const repository = repositoryOf(labels.session_id);
  const config = Buffer.from(JSON.stringify({ config: { Labels: writeSnapshotLabels(labels) } }));
  const blobs = [config, ...layers.map(({ blob }) => blob)].map((content) => ({ digest: registry.store.putBlob(repository, content), size: content.length }));
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = { schemaVersion: 2, mediaType, config: blobs[0], layers: blobs.slice(1) };
  registry.store.putManifest(repository, snapshotTagOf(labels.gen, labels.rev, newAttempt()), Buffer.from(JSON.stringify(manifest)), mediaType);
}

/** Sessions that sleep: each a snapshot in the registry, every tenth with one of an older attempt beside it. */
async function pushSnapshots(nowMs: number): Promise<SessionLabels[]> {
  const base = await packLayer(new Map([['/etc/base', 'base']]));
  const all = Array.from({ length: OF_EACH }, (_, index) => labelsOf(OF_EACH + index));
  await allAtOnce(all, atOnce, async (labels) => {
    const written = await packLayer(new Map([['/home/vibe/mine', labels.session_id]]));
    for (const rev of labels.created_at % 10 === 0 ? [3, 5] : [5]) shelve({ ...labels, rev, last_activity: nowMs - 3 * HOUR, taken: nowMs - HOUR }, [base, written]);
  });
  return all;
}

interface Knock {
  readonly status: number;
  readonly code: string | undefined;
}

/** Users who do not know that Redis was lost: they look, open and make sessions, at both processes of the API. */
function knocking(ids: readonly string[]): { readonly answers: Knock[]; stop(): Promise<void> } {
  const answers: Knock[] = [];
  let isOver = false;
  const knockOn = async (): Promise<void> => {
    for (let turn = 0; !isOver; turn += 1) {
      const api = apis[turn % apis.length] as ApiUnderTest;
      const calls = [['GET', '/api/sessions'], ['POST', '/api/sessions'], ['POST', `/api/sessions/${ids[turn % ids.length]}/open`], ['DELETE', `/api/sessions/${ids[turn % ids.length]}`]] as const;
      const [method, path] = calls[turn % calls.length] as (typeof calls)[number];
      const { status, json } = await api.call(userOf(turn), method, path, method === 'POST' ? {} : undefined);
      answers.push({ status, code: (json.error as { code: string } | undefined)?.code });
    }
  };
  const knocks = knockOn();
  return { answers, stop: () => ((isOver = true), knocks) };
}

it(`from an empty Redis ${OF_EACH} running and ${OF_EACH} sleeping sessions are back within 60 s, while users knock (F20)`, async () => {
  const nowMs = await under.parts.store.now();
  const awake = await startSessions();
  const asleep = await pushSnapshots(nowMs);
  // Agents outlive the loss: each has looked at its containers before.
  await reportAll();
  await redis.flushall();

  const users = knocking([...awake, ...asleep].map(({ session_id }) => session_id));
  const watch = new EpochWatch({
    ...under.parts,
    // The last moment at which nobody may be let in: users stop knocking there, so that what they get afterwards is looked at below.
    epoch: Object.assign(Object.create(under.parts.epoch) as typeof under.parts.epoch, { open: async () => (await users.stop(), under.parts.epoch.open()) }),
  });
  const startedAt = performance.now();
  expect(await watch.look(never)).toBe(false);
  await reportAll();
  const reportedAt = performance.now();
  expect(await watch.look(never)).toBe(true);
  const tookMs = performance.now() - startedAt;
  process.stdout.write(`rebuilt ${OF_EACH} + ${OF_EACH} sessions in ${Math.round(tookMs)} ms (reports ${Math.round(reportedAt - startedAt)} ms), with ${users.answers.length} calls refused meanwhile\n`);
  expect(tookMs).toBeLessThan(LIMIT_MS);
  expect(users.answers.length).toBeGreaterThan(20);
  expect(users.answers.filter(({ status }) => status !== 503)).toEqual([]);
  expect(users.answers.some(({ code }) => code === 'rebuilding')).toBe(true);

  await recordsAreRight(awake, asleep, nowMs);
  await answersAreRight(awake, asleep);
  await nothingIsAnOrphan();
});

async function recordsAreRight(awake: readonly SessionLabels[], asleep: readonly SessionLabels[], nowMs: number): Promise<void> {
  const { store } = under.parts;
  expect(await store.counts()).toMatchObject({ running: OF_EACH, hibernated: OF_EACH, creating: 0, lost: 0 });
  const containers = new Map(fake.swarm.nodes.flatMap((node) => [...node.containers.values()].map((container) => [container.labels['vibe.session'], { node, container }] as const)));
  for (const labels of awake) {
    const { node, container } = containers.get(labels.session_id)!;
    const { id, user_id, gen, name, created_at, ...record } = (await store.get(labels.session_id))!;
    expect({ session_id: id, user_id, gen, name, created_at }).toEqual(labels);
    expect(record).toMatchObject({ state: 'running', node_id: node.id, container_id: container.id, task_name: container.name } satisfies Partial<Record<keyof ContainerReport | 'node_id' | 'state', string>>);
  }
  for (const labels of asleep) {
    expect(await store.get(labels.session_id)).toMatchObject({ user_id: labels.user_id, gen: labels.gen, name: labels.name, state: 'hibernated', snapshot_rev: 5 });
    const leftMs = ((await store.deadlineOf(labels.session_id)) ?? 0) - nowMs;
    expect(Math.abs(leftMs - (7 * 24 - 1) * HOUR)).toBeLessThan(120_000);
  }
  expect(await store.idleSince(0, 10_000)).toHaveLength(OF_EACH);
  // One audit entry a move (I8).
  const entries = await readAudit(redis, 10_000);
  expect(entries.filter(({ action }) => action === 'adopt')).toHaveLength(2 * OF_EACH);
  expect(entries).toHaveLength(2 * OF_EACH);
}

async function answersAreRight(awake: readonly SessionLabels[], asleep: readonly SessionLabels[]): Promise<void> {
  const api = apis[0] as ApiUnderTest;
  const all = [...awake, ...asleep];
  await allAtOnce(Array.from({ length: USERS }, (_, index) => `u${index}`), atOnce, async (user) => {
    const own = all.filter(({ user_id }) => user_id === user);
    const { json } = await api.call(user, 'GET', '/api/sessions');
    expect(json.sessions.map(({ id }) => id).sort()).toEqual(own.map(({ session_id }) => session_id).sort());
    // The quota is right at once: 400 users have three, 200 have two (I4).
    if (own.length === 3) expect((await api.call(user, 'POST', '/api/sessions', {})).json.error.code).toBe('quota_exceeded');
  });
  await reportAll();
  const [one, other] = [awake[0] as SessionLabels, asleep[0] as SessionLabels];
  expect((await api.call(one.user_id, 'POST', `/api/sessions/${one.session_id}/open`, {})).json.terminal?.path).toBe(terminalSocketOf(one.session_id, one.gen));
  expect((await api.call('somebody-else', 'GET', `/api/sessions/${one.session_id}`)).status).toBe(404);
  const woken = await api.call(other.user_id, 'POST', `/api/sessions/${other.session_id}/open`, {});
  expect([woken.status, woken.json.session.state, woken.json.session.generation]).toEqual([202, 'waking', other.gen + 1]);
  const left = await api.call('u599', 'POST', '/api/sessions', {});
  expect(left.status).toBe(201);
}

/** Rounds of everything that cleans up, with more than a minute between them. */
async function nothingIsAnOrphan(): Promise<void> {
  const { parts, added } = under;
  const before = await parts.store.counts();
  const manifests = [...registry.calls].length;
  const care = new RegistryCare();
  for (let round = 0; round < 3; round += 1) {
    await reportAll();
    await watchDeadlines(parts, never);
    expect(await reconcile(parts, never)).toEqual({ steps: 0, unripe: 0, failed: 0 });
    expect(await care.round(parts, never)).toMatchObject({ dropped: 0, drop_failed: 0 });
    await skipClock(redis, 61_000);
  }
  expect(added).toEqual([]);
  expect(registry.calls.slice(manifests).filter((call) => call.startsWith('DELETE'))).toEqual([]);
  expect(await parts.store.counts()).toEqual(before);
  // What a claim of a moment ago lacks is its job alone.
  await addLostJobs(parts, never);
  expect(added.map(({ name }) => name).sort()).toEqual(['start', 'start']);
}
