import { randomBytes } from 'node:crypto';
import type { Lab } from '../src/lab';
import type { NodeEngine } from './node-engine';

const REGISTRY = 'registry:5000';
const PREFIX = 'vibe-bench-raw-';
const REPOSITORIES = '/var/lib/registry/docker/registry/v2/repositories';

export interface RawOptions {
  readonly lab: Lab;
  readonly node: string;
  readonly engine: NodeEngine;
  /** The image a session of the same age has. */
  readonly image: string;
  /** Base64 JSON for X-Registry-Auth. */
  readonly registryAuth: string;
}

/** A plain container that is no session: what the bare Engine does with the same content. */
export class RawSnapshot {
  private constructor(
    private readonly options: RawOptions,
    private readonly name: string,
    private readonly containerId: string,
  ) {}

  static async start(options: RawOptions): Promise<RawSnapshot> {
    const name = PREFIX + randomBytes(6).toString('hex');
    const spec = { Image: options.image, Labels: { 'vibe.bench': '1' }, Entrypoint: ['sleep', '3600'], User: 'vibe', WorkingDir: '/home/vibe/workspace', StopSignal: 'SIGKILL', HostConfig: { NetworkMode: 'none' } };
    const { Id } = JSON.parse(await options.engine.call('POST', `/containers/create?name=${name}`, { json: spec })) as { Id: string };
    await options.engine.call('POST', `/containers/${Id}/start`);
    return new RawSnapshot(options, name, Id);
  }

  async run(command: string): Promise<void> {
    await this.options.lab.exec(this.options.node, 'docker', 'exec', this.containerId, 'bash', '-euc', command);
  }

  /** Freezes it, commits it, pushes it into a repository of its own; returns the ms of commit and push. */
  async take(): Promise<number> {
    const { engine, registryAuth } = this.options;
    await engine.call('POST', `/containers/${this.containerId}/pause`);
    const from = performance.now();
    await engine.call('POST', `/commit?container=${this.containerId}&repo=${REGISTRY}/${this.name}&tag=1&pause=0`, { json: {} });
    const said = await engine.call('POST', `/images/${REGISTRY}/${this.name}/push?tag=1`, { headers: { 'X-Registry-Auth': registryAuth } });
    const tookMs = performance.now() - from;
    if (said.includes('"error"')) throw new Error(`the raw push failed: ${said.trim().slice(-300)}`);
    return tookMs;
  }

  async remove(): Promise<void> {
    await removeRawSnapshots(this.options.lab, this.options.engine);
  }
}

/** Removes what raw rounds made on a node and in the registry, of an interrupted run too. */
export async function removeRawSnapshots(lab: Lab, engine: NodeEngine): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: ['vibe.bench=1'] }));
  const containers = JSON.parse(await engine.call('GET', `/containers/json?all=1&filters=${filters}`)) as { Id: string }[];
  for (const { Id } of containers) await engine.call('DELETE', `/containers/${Id}?force=1`);
  const images = JSON.parse(await engine.call('GET', `/images/json?filters=${filters}`)) as { Id: string }[];
  for (const { Id } of images) await engine.call('DELETE', `/images/${Id}?force=1`);
  await lab.execInService('manager', 'vibe-state_registry', 'sh', '-c', `rm -rf ${REPOSITORIES}/${PREFIX}*`);
}
