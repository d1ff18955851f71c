import { type RunningFakeSwarm, packLayer, startFakeRegistry, startFakeSwarm, uploadImage } from '@vibe/testkit';
import { Engine } from '../src';
import { containersContract } from './containers-contract';
import type { EngineUnderTest } from './engine-under-test';
import { imagesContract } from './images-contract';
import { registryServiceContract } from './registry-service-contract';
import { servicesContract } from './services-contract';

const REGISTRY = 'registry:5000';
const login = { username: 'vibe', password: 'test-password' };

async function startFake(): Promise<EngineUnderTest & { swarm: RunningFakeSwarm }> {
  const registry = await startFakeRegistry({ login });
  const access = { url: registry.url, login };
  const fake = await startFakeSwarm({ registries: { [REGISTRY]: { url: registry.url } } });
  const base = { layers: [await packLayer(new Map([['/etc/base', 'base']]))], config: { Labels: { base: 'yes' }, Env: [] } };
  const { digest } = await uploadImage(access, { repository: 'vibe-base', tag: '1' }, base);
  const baseImage = `${REGISTRY}/vibe-base@${digest}`;
  const { node, address } = fake.engine('manager');
  const engine = await Engine.connect({ ...address, registryUrl: REGISTRY, registryLogin: login });
  await engine.pullImage(baseImage);
  const container = (id: string) => {
    const found = node.containers.get(id);
    if (!found) throw new Error(`there is no container ${id}`);
    return found;
  };
  return {
    swarm: fake,
    engine,
    registryHost: REGISTRY,
    registry: access,
    baseImage,
    run: async (labels, reference = baseImage) => {
      const image = node.images.find(reference);
      if (!image) throw new Error(`there is no image ${reference}`);
      return node.run({ name: `test-${node.containers.size}`, image, reference, labels, env: ['KEPT=yes'] }).id;
    },
    write: async (id, path, content) => container(id).write(path, content),
    writeHole: async (id, path, bytes) => container(id).write(path, '\0'.repeat(bytes)),
    read: async (id, path) => container(id).files.get(path) ?? '',
    kill: async (id) => container(id).end(),
    remove: async (id) => node.removeContainer(container(id)),
    stop: async () => {
      await fake.stop();
      await registry.stop();
    },
  };
}

describe('the fake Engine', () => {
  let fake: Awaited<ReturnType<typeof startFake>>;
  beforeAll(async () => void (fake = await startFake()));
  afterAll(() => fake.stop());

  describe('containers', () => containersContract(() => fake));
  describe('images', () => imagesContract(() => fake));
  describe('services', () => servicesContract(() => fake));
  describe('the registry service', () => registryServiceContract(() => fake));
});
