import { randomBytes } from 'node:crypto';
import type { Lab, LabNode } from '../src/lab';
import type { Person } from '../src/person';
import { TerminalClient } from '../src/terminal-client';
import { ContainerEvents } from './container-events';
import type { Measured } from './figures';
import { inTurn } from './in-turn';
import { NodeEngine } from './node-engine';

export const startNames = { raw: 'raw: service create → container started', ours: 'ours: POST /api/sessions → prompt on the socket' };

export interface BenchOptions {
  readonly lab: Lab;
  readonly person: Person;
  readonly rounds: number;
  readonly say: (progress: string) => void;
}

interface ServiceSpec {
  readonly TaskTemplate: { readonly ContainerSpec: Record<string, unknown> } & Record<string, unknown>;
  readonly [field: string]: unknown;
}

const RAW_PREFIX = 'bench-raw-';

/**
 * One cold start each, in turn, on an otherwise idle lab. Raw is the same service spec as a session's (image by digest,
 * network, constraint, limits) without our labels and secret, its program `sleep`: the manager's Engine API gets it, the
 * node's own start event ends the time. Ours ends when a person could type.
 */
export async function benchStart({ lab, person, rounds, say }: BenchOptions): Promise<Measured> {
  const engines = new Map<LabNode, NodeEngine>();
  for (const node of await lab.nodes()) engines.set(node, await NodeEngine.connect(lab, node.hostname));
  const manager = [...engines].find(([{ role }]) => role === 'manager')?.[1];
  if (!manager) throw new Error('the lab has no manager');
  const events = new ContainerEvents();
  events.follow(engines);
  try {
    await removeRawServices(manager);
    const spec = await specLikeOurs(manager, person);
    const round = { raw: () => rawStart(manager, events, spec), ours: () => ourStart(person, events, say), end: () => Promise.resolve() };
    return await inTurn({ rounds, say, prepare: () => Promise.resolve(round) });
  } finally {
    await removeRawServices(manager);
    for (const engine of engines.values()) await engine.close();
  }
}

async function rawStart(manager: NodeEngine, events: ContainerEvents, spec: ServiceSpec): Promise<number> {
  const name = RAW_PREFIX + randomBytes(6).toString('hex');
  const from = Date.now();
  await manager.call('POST', '/services/create', { json: { ...spec, Name: name } });
  const { atMs } = await events.started(name);
  await manager.call('DELETE', `/services/${name}`);
  await events.destroyed(name);
  return atMs - from;
}

async function ourStart(person: Person, events: ContainerEvents, say: (progress: string) => void): Promise<number> {
  const from = Date.now();
  const { id } = await person.api.create('bench');
  const created = Date.now();
  await person.events.untilState(id, 'running');
  const running = Date.now();
  const { terminal: address } = await person.api.open(id);
  if (!address) throw new Error('open gave no terminal');
  const terminal = await TerminalClient.connect(person.installation, address, { token: person.token });
  const connected = Date.now();
  await terminal.untilPrompt();
  const prompted = Date.now();
  const { atMs: started } = await events.started(`session-${id}`);
  say(`    answered ${created - from}, container ${Math.round(started - from)}, running ${running - from}, socket ${connected - from}, prompt ${prompted - from} ms`);
  terminal.close();
  await person.delete(id);
  await events.destroyed(`session-${id}`);
  return prompted - from;
}

/** The spec of a session that is there for this purpose, as the manager shows it, without what makes it ours. */
async function specLikeOurs(manager: NodeEngine, person: Person): Promise<ServiceSpec> {
  const { id } = await person.create('bench');
  const { Spec } = JSON.parse(await manager.call('GET', `/services/session-${id}`)) as { Spec: ServiceSpec };
  await person.delete(id);
  const container = { ...Spec.TaskTemplate.ContainerSpec, Labels: { 'vibe.bench': '1' }, Secrets: [], Command: ['sleep'], Args: ['600'] };
  return { ...Spec, Labels: { 'vibe.bench': '1' }, TaskTemplate: { ...Spec.TaskTemplate, ContainerSpec: container } };
}

async function removeRawServices(manager: NodeEngine): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: ['vibe.bench=1'] }));
  const left = JSON.parse(await manager.call('GET', `/services?filters=${filters}`)) as { ID: string }[];
  for (const { ID } of left) await manager.call('DELETE', `/services/${ID}`);
}
