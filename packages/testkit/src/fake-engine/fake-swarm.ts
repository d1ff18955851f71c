import { EventEmitter, once } from 'node:events';
import type { RegistryAuth } from './engine-http';
import type { FakeContainer } from './fake-container';
import { type FakeNode, newSwarmId } from './fake-node';
import type { ServiceSpec } from './service-spec-schema';

export interface StoredService {
  readonly id: string;
  readonly createdAt: string;
  /** Goes up with every update; an update names the one it was made from. */
  version: number;
  spec: ServiceSpec;
  readonly auth: RegistryAuth;
}

export interface StoredTask {
  readonly id: string;
  readonly serviceId: string;
  readonly createdAt: string;
  nodeId: string | null;
  state: string;
  desiredState: 'running' | 'shutdown';
  error: string | null;
  containerId: string | null;
  exitCode: number;
}

export interface StoredSecret {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly data: string;
}

/** What becomes of a container that just started: it listens (the default), hangs before it does, or ends. */
export type StartPlan = 'listens' | 'hangs' | { readonly exitCode: number };

const CHANGE_LIMIT_MS = 60_000;
const SESSION = 'vibe.session';

/** What the managers know and do: services, secrets, tasks, placement, restarts, nodes that go and come back. */
export class FakeSwarm {
  readonly services: StoredService[] = [];
  readonly secrets: StoredSecret[] = [];
  readonly tasks: StoredTask[] = [];
  readonly nodes: FakeNode[] = [];
  /** Asked at each start of a task's container. */
  startPlan: (container: FakeContainer) => StartPlan = () => 'listens';
  private readonly changes = new EventEmitter<{ change: [] }>().setMaxListeners(0);

  addNode(node: FakeNode): void {
    this.nodes.push(node);
    node.events.on('event', ({ action, container }) => {
      if (action === 'die') this.containerDied(container);
      this.changed();
    });
  }

  node(name: string): FakeNode {
    const found = this.nodes.find((node) => node.name === name);
    if (!found) throw new Error(`the fake Swarm has no node ${name}`);
    return found;
  }

  /** Containers of a session that run or are frozen, on any node. More than one is a fault of the code under test. */
  containersOf(sessionId: string): { container: FakeContainer; node: FakeNode }[] {
    return this.nodes.flatMap((node) => [...node.containers.values()].filter((c) => c.isAlive && c.labels[SESSION] === sessionId).map((container) => ({ container, node })));
  }

  /** Resolves with what `look` finds as soon as it finds something; looks at every change of the Swarm. */
  async when<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
    const limit = AbortSignal.timeout(CHANGE_LIMIT_MS);
    for (;;) {
      const found = look();
      if (found !== null && found !== undefined && found !== false) return found;
      await once(this.changes, 'change', { signal: limit }).catch(() => {
        throw new Error(`the fake Swarm did not come to this: ${what}`);
      });
    }
  }

  createService(spec: ServiceSpec, auth: RegistryAuth): StoredService | 'name is taken' | 'no such secret' {
    if (this.services.some((service) => service.spec.Name === spec.Name)) return 'name is taken';
    const isKnown = ({ SecretID }: { SecretID: string }) => this.secrets.some((secret) => secret.id === SecretID);
    if (!spec.TaskTemplate.ContainerSpec.Secrets.every(isKnown)) return 'no such secret';
    const service = { id: newSwarmId(), createdAt: new Date().toISOString(), version: 1, spec: structuredClone(spec), auth };
    this.services.push(service);
    if (service.spec.Mode.Replicated.Replicas > 0) this.addTask(service);
    return service;
  }

  /** Tasks follow a moment later: another task template replaces them, no replicas end them. */
  updateService(service: StoredService, version: number, spec: ServiceSpec): 'updated' | 'out of sequence' {
    if (service.version !== version) return 'out of sequence';
    const isReplaced = JSON.stringify(service.spec.TaskTemplate) !== JSON.stringify(spec.TaskTemplate);
    service.version += 1;
    service.spec = structuredClone(spec);
    const tasks = this.tasks.filter((task) => task.serviceId === service.id && task.desiredState === 'running');
    const isWanted = spec.Mode.Replicated.Replicas > 0;
    const ending = isReplaced || !isWanted ? tasks : [];
    for (const task of ending) task.desiredState = 'shutdown';
    setImmediate(() => {
      for (const node of this.nodes) if (node.state === 'ready') this.sweep(node);
      if (!isWanted) for (const task of this.tasks.filter(({ serviceId }) => serviceId === service.id)) this.tasks.splice(this.tasks.indexOf(task), 1);
      const isRunning = this.tasks.some((task) => task.serviceId === service.id && task.desiredState === 'running');
      if (isWanted && !isRunning && this.services.includes(service)) this.addTask(service);
      this.changed();
    });
    return 'updated';
  }

  /** The name is free at once; the containers go a moment later, when their node can be reached. */
  removeService(service: StoredService): void {
    this.services.splice(this.services.indexOf(service), 1);
    const tasks = this.tasks.filter((task) => task.serviceId === service.id);
    for (const task of tasks) this.tasks.splice(this.tasks.indexOf(task), 1);
    setImmediate(() => {
      for (const node of this.nodes) if (node.state === 'ready') this.sweep(node);
      this.schedule();
      this.changed();
    });
  }

  createSecret(secret: Omit<StoredSecret, 'id'>): string | null {
    if (this.secrets.some(({ name }) => name === secret.name)) return null;
    const id = newSwarmId();
    this.secrets.push({ ...secret, id });
    return id;
  }

  removeSecret(id: string): 'removed' | 'absent' | 'in use' {
    const at = this.secrets.findIndex((secret) => secret.id === id);
    if (at < 0) return 'absent';
    if (this.services.some(({ spec }) => spec.TaskTemplate.ContainerSpec.Secrets.some(({ SecretID }) => SecretID === id))) return 'in use';
    this.secrets.splice(at, 1);
    return 'removed';
  }

  /** The managers hear nothing of a node any more: its tasks are given up. Its containers run on. */
  nodeDown(node: FakeNode): void {
    node.state = 'down';
    for (const task of this.tasks) if (task.nodeId === node.id && task.desiredState === 'running') this.giveUp(task);
    this.changed();
  }

  /** A node that was given up comes back: what runs there of given-up tasks is killed, healthy or not. */
  nodeBack(node: FakeNode): void {
    node.state = 'ready';
    this.sweep(node);
    this.schedule();
    this.changed();
  }

  /** Places what waits. Runs after every change that may make room. */
  schedule(): void {
    for (const task of this.tasks) {
      if (task.state !== 'pending') continue;
      const service = this.services.find(({ id }) => id === task.serviceId);
      if (service) this.place(task, service);
    }
  }

  changed(): void {
    this.changes.emit('change');
  }

  private addTask(service: StoredService): void {
    const task: StoredTask = { id: newSwarmId(), serviceId: service.id, createdAt: new Date().toISOString(), nodeId: null, state: 'pending', desiredState: 'running', error: null, containerId: null, exitCode: 0 };
    this.tasks.push(task);
    setImmediate(() => this.schedule());
  }

  private place(task: StoredTask, service: StoredService): void {
    const { Placement, Resources } = service.spec.TaskTemplate;
    const fitting = this.nodes.filter((node) => node.state === 'ready' && node.availability === 'active' && Placement.Constraints.every((rule) => isMet(rule, node)));
    const withRoom = fitting.filter((node) => this.reservedOn(node) + Resources.Reservations.MemoryBytes <= node.memoryBytes);
    const chosen = withRoom.sort((a, b) => this.tasksOn(a).length - this.tasksOn(b).length)[0];
    if (!chosen) {
      task.error = fitting.length === 0 ? `no suitable node (scheduling constraints not satisfied on ${this.nodes.length} nodes)` : `no suitable node (insufficient resources on ${fitting.length} nodes)`;
      return;
    }
    task.error = null;
    task.nodeId = chosen.id;
    task.state = 'preparing';
    this.changed();
    this.run(task, service, chosen).catch((error: unknown) => {
      task.state = 'failed';
      task.error = String(error);
      this.changed();
    });
  }

  private async run(task: StoredTask, service: StoredService, node: FakeNode): Promise<void> {
    const { ContainerSpec } = service.spec.TaskTemplate;
    const image = await node.imageForTask(ContainerSpec.Image, service.auth);
    if (!this.tasks.includes(task)) return;
    if (!image) {
      Object.assign(task, { state: 'rejected', desiredState: 'shutdown', error: `No such image: ${ContainerSpec.Image}` });
      if (service.spec.TaskTemplate.RestartPolicy.Condition !== 'none') this.addTask(service);
      return this.changed();
    }
    const name = `${service.spec.Name}.1.${task.id}`;
    const swarmLabels = {
      'com.docker.swarm.node.id': node.id,
      'com.docker.swarm.service.id': service.id,
      'com.docker.swarm.service.name': service.spec.Name,
      'com.docker.swarm.task.id': task.id,
      'com.docker.swarm.task.name': name,
    };
    const container = node.run({ name, image, reference: ContainerSpec.Image, labels: { ...ContainerSpec.Labels, ...swarmLabels }, env: ContainerSpec.Env, stopSignal: ContainerSpec.StopSignal });
    Object.assign(task, { state: 'running', containerId: container.id });
    const plan = this.startPlan(container);
    if (plan === 'listens') container.listen();
    else if (typeof plan === 'object') container.end(plan.exitCode);
    this.changed();
  }

  /** Swarm replaces what ended by an empty one, unless the restart condition forbids it. */
  private containerDied(container: FakeContainer): void {
    const task = this.tasks.find(({ containerId }) => containerId === container.id);
    if (!task) return;
    Object.assign(task, { state: container.exitCode === 0 ? 'complete' : 'failed', desiredState: 'shutdown', exitCode: container.exitCode, error: container.exitCode === 0 ? null : `task: non-zero exit (${container.exitCode})` });
    this.replace(task);
  }

  private giveUp(task: StoredTask): void {
    task.desiredState = 'shutdown';
    this.replace(task);
  }

  private replace(task: StoredTask): void {
    const service = this.services.find(({ id }) => id === task.serviceId);
    if (service && service.spec.Mode.Replicated.Replicas > 0 && service.spec.TaskTemplate.RestartPolicy.Condition !== 'none') this.addTask(service);
  }

  /** Removes from a node the containers of tasks that are no more, and ends those of tasks that were given up. */
  private sweep(node: FakeNode): void {
    for (const container of [...node.containers.values()]) {
      const taskId = container.labels['com.docker.swarm.task.id'];
      if (taskId === undefined || container.labels['com.docker.swarm.node.id'] !== node.id) continue;
      const task = this.tasks.find(({ id }) => id === taskId);
      if (!task) node.removeContainer(container);
      else if (task.desiredState === 'shutdown') container.stop();
    }
  }

  private tasksOn(node: FakeNode): StoredTask[] {
    return this.tasks.filter((task) => task.nodeId === node.id && task.desiredState === 'running');
  }

  private reservedOn(node: FakeNode): number {
    const specs = this.tasksOn(node).map((task) => this.services.find(({ id }) => id === task.serviceId)?.spec);
    return specs.reduce((sum, spec) => sum + (spec?.TaskTemplate.Resources.Reservations.MemoryBytes ?? 0), 0);
  }
}

function isMet(rule: string, node: FakeNode): boolean {
  const [, key, value] = /^(node\.(?:role|id|hostname|labels\.[\w.-]+))\s*==\s*(\S+)$/.exec(rule) ?? [];
  if (key === 'node.role') return node.role === value;
  if (key === 'node.id') return node.id === value;
  if (key === 'node.hostname') return node.name === value;
  if (key?.startsWith('node.labels.')) return node.labels.get(key.slice('node.labels.'.length)) === value;
  throw new Error(`the fake Swarm does not know the constraint ${rule}`);
}
