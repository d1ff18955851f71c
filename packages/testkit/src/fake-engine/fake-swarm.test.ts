import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeContainer } from './fake-container';
import type { ServiceSpec } from './service-spec-schema';
import { type RunningFakeSwarm, startFakeSwarm } from './start-fake-swarm';

const SESSION = 'abcdefghijklmnopqrstuvwxyz';
const MIB = 1024 * 1024;

interface Wanted {
  readonly name?: string;
  readonly constraints?: string[];
  readonly condition?: 'none' | 'any';
  readonly stopSignal?: string;
  readonly reservedMib?: number;
  readonly image?: string;
}

function specOf({ name = `session-${SESSION}`, constraints = [], condition = 'none', stopSignal = 'SIGKILL', reservedMib = 1, image = 'base:1' }: Wanted): ServiceSpec {
  return {
    Name: name,
    Labels: { 'vibe.session': SESSION },
    TaskTemplate: {
      ContainerSpec: { Image: image, Labels: { 'vibe.session': SESSION }, Hostname: 'vibe', Env: [], Init: false, StopSignal: stopSignal, StopGracePeriod: 0, CapabilityDrop: ['ALL'], CapabilityAdd: [], Mounts: [], Secrets: [] },
      Resources: { Limits: { MemoryBytes: MIB, NanoCPUs: 1, Pids: 1 }, Reservations: { MemoryBytes: reservedMib * MIB } },
      RestartPolicy: { Condition: condition },
      Placement: { Constraints: constraints },
      Networks: [{ Target: 'vibe-overlay' }],
      LogDriver: { Name: 'json-file', Options: {} },
    },
    Mode: { Replicated: { Replicas: 1 } },
    EndpointSpec: { Mode: 'dnsrr' },
  };
}

describe('the fake Swarm', () => {
  let fake: RunningFakeSwarm;
  beforeEach(async () => {
    fake = await startFakeSwarm({
      nodes: [
        { name: 'manager', role: 'manager' },
        { name: 'worker1', role: 'worker', memoryBytes: 10 * MIB },
        { name: 'worker2', role: 'worker', memoryBytes: 10 * MIB },
      ],
    });
    for (const node of fake.swarm.nodes) await node.load('base:1', new Map([['/etc/base', 'base']]));
  });
  afterEach(() => fake.stop());

  const create = async (options: Wanted = {}) => {
    const service = fake.swarm.createService(specOf(options), {});
    if (typeof service === 'string') throw new Error(service);
    return service;
  };
  const running = () => fake.swarm.when('it runs', () => fake.swarm.containersOf(SESSION)[0]);
  const taskOf = (serviceId: string) => fake.swarm.tasks.find((task) => task.serviceId === serviceId);

  it('places by constraint and room, and lets wait what fits nowhere until there is room', async () => {
    const first = await create({ name: 'one', constraints: ['node.role==worker'], reservedMib: 8 });
    const second = await create({ name: 'two', constraints: ['node.role==worker'], reservedMib: 8 });
    const third = await create({ name: 'three', constraints: ['node.role==worker'], reservedMib: 8 });
    const [a, b] = await fake.swarm.when('two run', () => (fake.swarm.containersOf(SESSION).length === 2 ? fake.swarm.containersOf(SESSION) : null));
    expect([a?.node.name, b?.node.name].sort()).toEqual(['worker1', 'worker2']);
    expect(taskOf(third.id)).toMatchObject({ state: 'pending', error: expect.stringContaining('insufficient resources') as string });
    fake.swarm.removeService(first);
    await fake.swarm.when('the third runs', () => taskOf(third.id)?.state === 'running');
    expect(taskOf(second.id)?.state).toBe('running');
  });

  it('replaces what ended by an empty one, unless it is told never to', async () => {
    await create({ condition: 'any' });
    const { container } = await running();
    container.type('my work');
    container.end();
    const replacement = await fake.swarm.when('a replacement', () => fake.swarm.containersOf(SESSION)[0]?.container);
    expect(replacement.files.get('/home/vibe/workspace/typed')).toBeUndefined();
  });

  it('kills what runs on a node that was given up, when it comes back', async () => {
    const service = await create({ constraints: ['node.role==worker'] });
    const { container, node } = await running();
    fake.swarm.nodeDown(node);
    expect(container.status).toBe('running');
    fake.swarm.nodeBack(node);
    expect(container.status).toBe('exited');
    expect(taskOf(service.id)).toMatchObject({ state: 'failed', desiredState: 'shutdown' });
  });

  it.each([
    ['SIGKILL', false],
    ['SIGTERM', true],
  ])('lets a frozen container that is removed by %s run on: %s', async (stopSignal, ranOn) => {
    const service = await create({ stopSignal });
    const { container, node } = await running();
    container.pause();
    const before = container.cpuNs;
    fake.swarm.removeService(service);
    await fake.swarm.when('it is gone', () => !node.containers.has(container.id));
    expect(container.written.has('/ran-after-the-thaw')).toBe(ranOn);
    expect(container.cpuNs > before).toBe(ranOn);
  });

  it('rejects what nobody can pull', async () => {
    const service = await create({ image: `registry:5000/none@sha256:${'a'.repeat(64)}` });
    await fake.swarm.when('it is rejected', () => taskOf(service.id)?.state === 'rejected');
  });

  it('starts a container as the test planned it', async () => {
    fake.swarm.startPlan = () => ({ exitCode: 3 });
    const service = await create();
    await fake.swarm.when('it ended', () => taskOf(service.id)?.state === 'failed');
    expect(taskOf(service.id)).toMatchObject({ exitCode: 3 });
  });

  it('holds a call until the test lets it go', async () => {
    const { http, address } = fake.engine('manager');
    const held = http.hold(/^GET \/nodes/);
    let answered = false;
    const asking = fetch(`http://${address.host}:${address.port}/v1.44/nodes`).then((answer) => {
      answered = true;
      return answer.status;
    });
    await held.reached;
    expect(answered).toBe(false);
    held.release();
    expect(await asking).toBe(200);
  });

  it('refuses a call that no Engine takes, and lets the test fail for it', async () => {
    const other = await startFakeSwarm({ nodes: [{ name: 'one', role: 'manager' }] });
    const { address } = other.engine('one');
    const ask = (path: string, init?: RequestInit) => fetch(`http://${address.host}:${address.port}${path}`, init).then((answer) => answer.status);
    expect(await ask('/v1.44/containers/x/archive?path=/etc')).toBe(501);
    expect(await ask('/v1.44/nodes?size=1')).toBe(501);
    expect(await ask('/v1.45/nodes')).toBe(501);
    const whole = Buffer.from(JSON.stringify(specOf({}))).toString('base64url');
    expect(await ask('/v1.44/services/create', { method: 'POST', body: JSON.stringify(specOf({})), headers: { 'x-registry-auth': whole } })).toBe(400);
    await expect(other.stop()).rejects.toThrow(/archive[^]*nodes\?size=1[^]*v1.45[^]*that is no login/);
  });

  describe('and the /proc of its nodes', () => {
    const procOf = (container: FakeContainer, hostProc: string, path: string) => join(hostProc, String(container.pid), path);

    it('shows the port of ttyd once it listens', async () => {
      fake.swarm.startPlan = () => 'hangs';
      await create();
      const { container, node } = await running();
      const table = () => readFileSync(procOf(container, node.hostProc, 'net/tcp'), 'utf8');
      expect(table()).not.toContain(':1E01');
      container.listen();
      expect(table()).toMatch(/:1E01 \S+ 0A/);
    });

    it('moves the time of the pane when somebody types, and not when a socket comes', async () => {
      await create();
      const { container, node } = await running();
      const pane = procOf(container, node.hostProc, 'root/dev/pts/0');
      container.type('ls', '/home/a', new Date(1_000_000));
      container.connect();
      expect(statSync(pane).atimeMs).toBe(1_000_000);
      expect(existsSync(procOf(container, node.hostProc, 'root/dev/pts/1'))).toBe(true);
      expect(container.files.get('/home/a')).toBe('ls\n');
    });

    it('keeps what is typed into a frozen container until the thaw', async () => {
      await create();
      const { container } = await running();
      container.pause();
      const frozen = container.cpuNs;
      container.type('late', '/home/vibe/workspace/typed');
      expect([container.cpuNs, container.files.get('/home/vibe/workspace/typed')]).toEqual([frozen, undefined]);
      container.unpause();
      expect(container.files.get('/home/vibe/workspace/typed')).toBe('late\n');
      expect(container.cpuNs).toBeGreaterThan(frozen);
    });

    it("has the launcher's mark, new each time the shell was saved, and nothing once the container ended", async () => {
      await create();
      const { container, node } = await running();
      container.signal('SIGUSR1');
      const mark = procOf(container, node.hostProc, 'root/run/vibe/saved');
      const first = lstatSync(mark);
      container.signal('SIGUSR1');
      expect([lstatSync(mark).ino, lstatSync(mark).mtimeMs]).not.toEqual([first.ino, first.mtimeMs]);
      const directory = procOf(container, node.hostProc, '');
      container.end();
      expect(existsSync(directory)).toBe(false);
    });
  });
});
