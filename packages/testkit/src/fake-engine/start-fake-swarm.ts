import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerRoutes } from './container-routes';
import { EngineHttp } from './engine-http';
import { FakeNode } from './fake-node';
import { FakeSwarm } from './fake-swarm';
import { imageRoutes } from './image-routes';
import type { RegistryAccess } from './registry-transfer';
import { swarmRoutes } from './swarm-routes';
import { systemRoutes } from './system-routes';

export interface FakeSwarmOptions {
  /** One manager and two workers when not given. */
  readonly nodes?: readonly { readonly name: string; readonly role: 'manager' | 'worker'; readonly memoryBytes?: number }[];
  /** How the Engines reach a registry by the host in an image's name: `{ 'registry:5000': { url } }`. */
  readonly registries?: Readonly<Record<string, RegistryAccess>>;
  readonly engineVersion?: string;
  /** The highest API version they speak; calls must use it, or 1.44 when it is higher. */
  readonly apiVersion?: string;
}

/** One Engine of the fake Swarm, as a client reaches it. */
export interface FakeEngine {
  readonly node: FakeNode;
  readonly http: EngineHttp;
  readonly address: { readonly host: string; readonly port: number };
  /** Where it listens as well: an agent finds its own Engine by a path. */
  readonly socketPath: string;
}

export interface RunningFakeSwarm {
  readonly swarm: FakeSwarm;
  engine(name: string): FakeEngine;
  /** Ends all of it. @throws when an Engine was called in a way that no route knows: such a test is wrong */
  stop(): Promise<void>;
}

const GIB = 1024 ** 3;
const API_HIGHEST = '1.44';

/** Starts Engines that share one Swarm, each on a port of the loopback and a socket, with a /proc of its own. */
export async function startFakeSwarm(options: FakeSwarmOptions = {}): Promise<RunningFakeSwarm> {
  const {
    nodes = [
      { name: 'manager', role: 'manager' },
      { name: 'worker1', role: 'worker' },
      { name: 'worker2', role: 'worker' },
    ],
    registries = {},
    engineVersion = '26.1.5',
    apiVersion = '1.45',
  } = options;
  const dir = await mkdtemp(join(tmpdir(), 'vibe-fake-swarm-'));
  const swarm = new FakeSwarm();
  const usedVersion = Number(apiVersion.split('.')[1]) > Number(API_HIGHEST.split('.')[1]) ? API_HIGHEST : apiVersion;
  const engines = new Map<string, FakeEngine>();
  for (const { name, role, memoryBytes = 4 * GIB } of nodes) {
    const node = new FakeNode(name, role, memoryBytes, await mkdtemp(join(dir, `${name}-`)), registries);
    const socketPath = join(dir, `${name}.sock`);
    const http = new EngineHttp(usedVersion, [...systemRoutes(node, { version: engineVersion, api: apiVersion }), ...containerRoutes(node), ...imageRoutes(node), ...swarmRoutes(node, swarm)], socketPath);
    await http.listen();
    swarm.addNode(node);
    engines.set(name, { node, http, address: { host: '127.0.0.1', port: http.port }, socketPath });
  }
  return {
    swarm,
    engine: (name) => {
      const found = engines.get(name);
      if (!found) throw new Error(`the fake Swarm has no node ${name}`);
      return found;
    },
    async stop() {
      for (const { http } of engines.values()) await http.close();
      await rm(dir, { recursive: true, force: true });
      const wrong = [...engines.values()].flatMap(({ node, http }) => http.unknown.map((call) => `${node.name}: ${call}`));
      if (wrong.length > 0) throw new Error(`calls that no Engine takes:\n${wrong.join('\n')}`);
    },
  };
}
