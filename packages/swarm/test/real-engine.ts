import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RealRegistry, startRealNode, startRealRegistry } from '@vibe/testkit';
import { Engine } from '../src';
import type { EngineUnderTest } from './engine-under-test';

const run = promisify(execFile);

export const UPSTREAM_BASE = 'debian:trixie-slim';
const CONFIG_FILE = join(__dirname, '../../../stacks/registry/config.yml');

/** `docker …` on the Engine under test. */
type DockerCli = (args: readonly string[]) => Promise<string>;

async function onHost(args: readonly string[]): Promise<string> {
  return (await run('docker', [...args], { maxBuffer: 16 * 1024 * 1024 })).stdout;
}

/** The hands of a test on a real Engine: its command line. Everything it makes is taken away again. */
async function underTest(docker: DockerCli, socketPath: string, registry: RealRegistry, stop: () => Promise<void>): Promise<EngineUnderTest> {
  const containers: string[] = [];
  const engine = await Engine.connect({ socketPath, registryUrl: registry.host, registryLogin: registry.login });
  const base = `${registry.host}/vibe-base`;
  const made = (await docker(['create', '-l', 'base=yes', UPSTREAM_BASE])).trim();
  await docker(['commit', '--change', 'CMD ["sleep", "infinity"]', '--change', 'LABEL base=yes', made, `${base}:1`]);
  await docker(['rm', made]);
  const { digest } = await engine.pushImage({ repository: base, tag: '1' });
  const baseImage = `${base}@${digest}`;
  const shell = (id: string, script: string, ...args: string[]) => docker(['exec', id, 'sh', '-c', script, 'sh', ...args]);
  return {
    engine,
    registryHost: registry.host,
    registry,
    baseImage,
    run: async (labels, image = baseImage) => {
      const withLabels = Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
      const id = (await docker(['run', '-d', '-e', 'KEPT=yes', ...withLabels, image])).trim();
      containers.push(id);
      return id;
    },
    write: async (id, path, content) => void (await shell(id, 'printf %s "$2" > "$1"', path, content)),
    writeHole: async (id, path, bytes) => void (await shell(id, 'truncate -s "$2" "$1"', path, String(bytes))),
    read: (id, path) => shell(id, 'cat "$1"', path),
    // `docker kill` ends before the container does.
    kill: async (id) => {
      await docker(['kill', id]);
      await docker(['wait', id]);
    },
    remove: async (id) => void (await docker(['rm', '-f', id])),
    stop: async () => {
      if (containers.length > 0) await docker(['rm', '-f', ...containers]).catch(() => undefined);
      const left = (await docker(['images', '-q', '--no-trunc', '--filter', 'label=base=yes'])).split('\n').filter((id) => id !== '');
      if (left.length > 0) await docker(['rmi', '-f', ...new Set(left)]).catch(() => undefined);
      await registry.stop();
      await stop();
    },
  };
}

/** This machine's own Engine, with a registry on its loopback. Whether it is in a Swarm does not matter. */
export async function startOnThisMachine(): Promise<EngineUnderTest> {
  const registry = await startRealRegistry({ configFile: CONFIG_FILE });
  try {
    return await underTest(onHost, '/var/run/docker.sock', registry, () => Promise.resolve());
  } catch (error) {
    await registry.stop();
    throw error;
  }
}

/** A node of its own that is a Swarm of one, with a registry inside its network. */
export async function startOnANode(): Promise<EngineUnderTest> {
  const node = await startRealNode({ images: [UPSTREAM_BASE] });
  try {
    const registry = await startRealRegistry({ configFile: CONFIG_FILE, nodeContainer: node });
    return await underTest((args) => node.docker(args), node.socketPath, registry, () => node.stop());
  } catch (error) {
    await node.stop();
    throw error;
  }
}
