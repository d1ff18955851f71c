import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newAttempt, newCollectionRun, newSessionId, repositoryOf, writeSnapshotLabels } from '@vibe/contracts';
import { armFailpoints, hitFailpoints, silentLogger } from '@vibe/platform';
import { RegistryClient } from '@vibe/registry';
import { Epoch, RegistryCollection, SessionStore } from '@vibe/session-store';
import { Engine } from '@vibe/swarm';
import { LAB_NODE_IMAGE, REAL_REGISTRY_IMAGE, type RealNode, type TestRedis, describeWithEngine, packLayer, startRealNode, startRedis, uploadImage } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { type CollectParts, collectGarbage } from '../src/collect-garbage';
import { contextOf } from './job-line';

const run = promisify(execFile);
const CONFIG_FILE = join(__dirname, '../../../stacks/registry/config.yml');
const REGISTRY_SERVICE = 'vibe-state_registry';
const START_LIMIT_MS = 180_000;
const LOOK_EVERY_MS = 200;

jest.setTimeout(START_LIMIT_MS);

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));

/** The registry as stacks/state.yml runs it, without TLS and login. */
async function startRegistryService(node: RealNode): Promise<void> {
  const config = readFileSync(CONFIG_FILE, 'utf8').replace(/auth:[\s\S]*?http:/, 'http:').replace(/ {2}tls:\n.*\n.*\n/, '');
  execFileSync('docker', ['exec', '-i', node.name, 'docker', 'config', 'create', 'registry-config', '-'], { input: config, stdio: ['pipe', 'ignore', 'inherit'] });
  await node.docker(['node', 'update', '--label-add', 'vibe.state=true', (await node.docker(['info', '-f', '{{.Swarm.NodeID}}'])).trim()]);
  await node.docker(['run', '--rm', '-v', 'vibe-registry:/v', '--entrypoint', 'chown', REAL_REGISTRY_IMAGE, '1000:1000', '/v']);
  const volume = 'type=volume,source=vibe-registry,target=/var/lib/registry,volume-nocopy=true';
  const asInTheStack = ['--user', '1000:1000', '--read-only', '--cap-drop', 'ALL', '--constraint', 'node.labels.vibe.state == true', '--restart-delay', '1s', '--limit-pids', '256', '--endpoint-mode', 'dnsrr'];
  await node.docker(['service', 'create', '-d', '--no-resolve-image', '--name', REGISTRY_SERVICE, ...asInTheStack, '--config', 'source=registry-config,target=/etc/docker/registry/config.yml', '--mount', volume, '--publish', 'target=5000,published=5000,mode=host', REAL_REGISTRY_IMAGE]);
}

describeWithEngine('collecting a registry that is a service of a real Swarm', [REAL_REGISTRY_IMAGE, LAB_NODE_IMAGE], () => {
  let node: RealNode;
  let redisServer: TestRedis;
  let redis: Redis;
  let registry: RegistryClient;
  let parts: CollectParts;

  beforeAll(async () => {
    [node, redisServer] = await Promise.all([startRealNode({ images: [REAL_REGISTRY_IMAGE] }), startRedis()]);
    await startRegistryService(node);
    redis = new Redis(redisServer.url);
    registry = new RegistryClient({ url: `http://${node.address}:5000` });
    const epoch = new Epoch(redis);
    await epoch.open();
    const engine = await Engine.connect({ socketPath: node.socketPath });
    parts = { engine, registry, store: new SessionStore(redis), epoch, queues: { add: () => Promise.resolve() }, logger: silentLogger, collection: new RegistryCollection(redis), registryService: REGISTRY_SERVICE };
    while (!(await registry.ping().then(() => true, () => false))) await pause();
  }, START_LIMIT_MS);
  afterAll(async () => {
    armFailpoints('');
    await registry?.close();
    redis?.disconnect();
    await redisServer?.stop();
    await node?.stop();
  }, START_LIMIT_MS);

  async function push(repository: string): Promise<void> {
    const layer = await packLayer(new Map([['/canary', newAttempt()]]));
    const labels = writeSnapshotLabels({ session_id: newSessionId(), user_id: 'ann', gen: 1, name: 'one', created_at: 1, rev: 1, last_activity: 1, taken: 1 });
    await uploadImage({ url: `http://${node.address}:5000` }, { repository, tag: 'g1-r1-aaaaaaaa' }, { layers: [layer], config: { Labels: labels, Env: [] } });
  }

  /** Comes back, as the job does, until the collection is over; what a fault breaks comes back as well. */
  async function collect(): Promise<void> {
    const asked = newCollectionRun();
    do {
      await collectGarbage(parts, { run: asked }, contextOf()).catch(() => undefined);
      await pause();
    } while (await parts.collection.current());
  }

  it.each(['', 'collect.after-read-only', 'collect.after-start', 'collect.after-removal'])('frees what was deleted and takes pushes again, whatever breaks on the way: "%s"', async (name) => {
    const [gone, kept] = [repositoryOf(newSessionId()), repositoryOf(newSessionId())];
    await push('vibe-terminal');
    await push(gone);
    await push(kept);
    await registry.deleteRepository(gone);
    expect(await registry.catalogue()).toContain(gone);
    armFailpoints(name === '' ? '' : `${name}=throw`);
    await collect();
    expect([...hitFailpoints()]).toEqual(name === '' ? [] : [name]);
    expect(await parts.collection.last()).toMatchObject({ outcome: 'collected', freed_bytes: expect.any(Number) as number });
    expect(await registry.catalogue()).not.toContain(gone);
    expect(await registry.listTags(kept)).toEqual(['g1-r1-aaaaaaaa']);
    expect(await registry.takesPushes('vibe-terminal')).toBe(true);
    await push(gone);
    const { stdout } = await run('docker', ['exec', node.name, 'docker', 'service', 'ls', '--format', '{{.Name}} {{.Replicas}}']);
    expect(stdout.trim()).toBe(`${REGISTRY_SERVICE} 1/1`);
  });
});
