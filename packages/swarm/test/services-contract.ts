import { type SessionLabels, repositoryOf, secretNameOf, serviceNameOf, terminalBaseOf, writeSnapshotLabels } from '@vibe/contracts';
import { digestOf } from '@vibe/testkit';
import { sessionServiceSpec } from '../src';
import { type EngineUnderTest, newLabels, when } from './engine-under-test';

/** What a manager's Engine must do with services, tasks and secrets, the real one and the fake alike. */
export function servicesContract(get: () => EngineUnderTest): void {
  const made: string[] = [];
  afterEach(async () => {
    for (const serviceId of made.splice(0)) await get().engine.removeService(serviceId);
  });

  const secretOf = (labels: SessionLabels) => get().engine.ensureSecret({ name: secretNameOf(labels.session_id, labels.gen), data: 'a'.repeat(43), labels });
  const specOf = async (labels: SessionLabels, more: { image?: string; wishNode?: string; memoryReservedMib?: number } = {}) =>
    sessionServiceSpec({
      ...labels,
      image: get().baseImage,
      secretId: await secretOf(labels),
      secretName: secretNameOf(labels.session_id, labels.gen),
      base: terminalBaseOf(labels.session_id, labels.gen),
      network: 'vibe-overlay',
      constraint: 'node.role==manager',
      memoryLimitMib: 64,
      memoryReservedMib: 8,
      cpuLimit: 0.5,
      pidsLimit: 64,
      egressAllow: [],
      ...more,
    });
  const create = async (labels: SessionLabels, more: Parameters<typeof specOf>[1] = {}): Promise<string> => {
    const created = await get().engine.createService(await specOf(labels, more));
    if (created.outcome !== 'created') throw new Error('the name is taken');
    made.push(created.serviceId);
    return created.serviceId;
  };
  const whenRunning = (id: string, gen = 1) =>
    when('its container runs', async () => (await get().engine.listSessionContainers({ sessionId: id })).find((container) => container.state === 'running' && container.gen === gen));
  const taskThatIs = (serviceId: string, ...states: string[]) => when(`a task that is ${states.join(' or ')}`, async () => (await get().engine.tasksOfService(serviceId)).find((task) => states.includes(task.state)));

  it('knows its node and its Swarm', async () => {
    const { engine } = get();
    const node = await engine.nodeInfo();
    expect(node).toMatchObject({ isManager: true, problems: [] });
    expect(node.memoryBytes).toBeGreaterThan(100 * 1024 * 1024);
    expect(await engine.listNodes()).toEqual(expect.arrayContaining([{ node_id: node.nodeId, hostname: node.hostname, role: 'manager', state: 'ready', availability: 'active' }]));
  });

  it("starts a session's service, with its labels on service and container, and removes it with its container", async () => {
    const { engine } = get();
    const labels = newLabels();
    const serviceId = await create(labels);
    const report = { ...labels, service_id: serviceId, image: get().baseImage };
    expect(await engine.findSessionService(labels.session_id)).toEqual(report);
    expect(await engine.listSessionServices()).toEqual(expect.arrayContaining([report]));
    const container = await whenRunning(labels.session_id);
    const task = await taskThatIs(serviceId, 'running');
    expect(task).toMatchObject({ containerId: container.container_id, nodeId: (await engine.nodeInfo()).nodeId, error: null, desiredState: 'running' });
    expect(container).toMatchObject({ ...labels, service_id: serviceId, task_name: `${serviceNameOf(labels.session_id)}.1.${task.taskId}` });
    expect(await engine.inspectContainer(container.container_id)).toMatchObject({ name: container.task_name, serviceId, taskId: task.taskId, session: labels, image: get().baseImage });

    expect(await engine.removeService(serviceId)).toBe('removed');
    expect(await engine.removeService(serviceId)).toBe('absent');
    expect(await engine.findSessionService(labels.session_id)).toBeNull();
    expect(await engine.tasksOfService(serviceId)).toEqual([]);
    await when('its container is gone', async () => (await engine.inspectContainer(container.container_id)) === null);
  });

  it('says what stands there when the name is taken, and takes it again as soon as that was removed', async () => {
    const { engine } = get();
    const labels = newLabels();
    const serviceId = await create(labels);
    const again = await engine.createService(await specOf({ ...labels, gen: 2 }));
    expect(again).toMatchObject({ outcome: 'exists', existing: { service_id: serviceId, gen: 1 } });
    await engine.removeService(serviceId);
    await create({ ...labels, gen: 2 });
  });

  it('keeps one secret for a generation, gives it to nobody, and removes it when no service names it', async () => {
    const { engine } = get();
    const labels = newLabels();
    const secretId = await secretOf(labels);
    expect(await secretOf(labels)).toBe(secretId);
    await secretOf({ ...labels, gen: 2 });
    const ours = async () => (await engine.listSessionSecrets()).filter((secret) => secret.session_id === labels.session_id);
    expect(await ours()).toEqual(expect.arrayContaining([{ secret_id: secretId, session_id: labels.session_id, gen: 1 }]));
    expect(JSON.stringify(await ours())).not.toContain('aaaa');

    const serviceId = await create(labels);
    await expect(engine.removeSessionSecrets(labels.session_id, { upToGen: 1, butGen: null })).rejects.toMatchObject({ code: 'engine_error', details: { status: 400 } });
    await engine.removeService(serviceId);
    await engine.removeSessionSecrets(labels.session_id, { upToGen: 2, butGen: 2 });
    await engine.removeSessionSecrets(labels.session_id, { upToGen: 1, butGen: null });
    expect((await ours()).map(({ gen }) => gen)).toEqual([2]);
    await engine.removeSessionSecrets(labels.session_id, { upToGen: Infinity, butGen: null });
    expect(await ours()).toEqual([]);
  });

  it.each([
    ['for a node that is not there', { wishNode: 'nosuchnode' }],
    ['for more memory than there is', { memoryReservedMib: 64 * 1024 * 1024 }],
  ])('leaves a task pending that asks %s, and says why', async (_, more) => {
    const serviceId = await create(newLabels(), more);
    const task = await when('the scheduler says something', async () => (await get().engine.tasksOfService(serviceId)).find(({ error }) => error !== null));
    expect(task).toMatchObject({ state: 'pending', nodeId: null, containerId: null, error: expect.stringMatching(/^no suitable node/) as string });
  });

  it('rejects for good a task whose image nobody has', async () => {
    const image = `${get().registryHost}/vibe-nothing@${digestOf('none')}`;
    const serviceId = await create(newLabels(), { image });
    const task = await taskThatIs(serviceId, 'rejected');
    expect(task).toMatchObject({ desiredState: 'shutdown', error: expect.stringContaining('No such image') as string });
    expect(await get().engine.tasksOfService(serviceId)).toHaveLength(1);
  });

  it('never replaces a session that died; its layer stays and can be committed', async () => {
    const { engine, kill, write } = get();
    const labels = newLabels();
    const serviceId = await create(labels);
    const { container_id } = await whenRunning(labels.session_id);
    await write(container_id, '/home/typed', 'before it died');
    await kill(container_id);
    expect(await taskThatIs(serviceId, 'failed')).toMatchObject({ desiredState: 'shutdown', exitCode: 137, containerId: container_id });
    expect(await engine.inspectContainer(container_id)).toMatchObject({ state: 'exited', exitCode: 137 });
    await engine.commitContainer(container_id, { repository: `${get().registryHost}/${repositoryOf(labels.session_id)}`, tag: 'g1-r3-aaaaaaaa', labels: {} });
    expect((await engine.tasksOfService(serviceId)).map(({ state }) => state)).toEqual(['failed']);
    expect(await engine.listSessionContainers({ sessionId: labels.session_id })).toHaveLength(1);
  });

  it('sleeps and wakes: frozen, committed, pushed, removed; woken by digest at the next generation with its files', async () => {
    const { engine, write, read, registryHost } = get();
    const labels = newLabels();
    const serviceId = await create(labels);
    const { container_id } = await whenRunning(labels.session_id);
    await write(container_id, '/home/typed', 'before the sleep');
    expect(await engine.pauseContainer(container_id)).toBe('paused');
    const repository = `${registryHost}/${repositoryOf(labels.session_id)}`;
    await engine.commitContainer(container_id, { repository, tag: 'g1-r3-aaaaaaaa', labels: writeSnapshotLabels({ ...labels, rev: 3, last_activity: 2, taken: 1 }) });
    const { digest } = await engine.pushImage({ repository, tag: 'g1-r3-aaaaaaaa' });
    await engine.removeService(serviceId);
    await when('the frozen container is gone', async () => (await engine.inspectContainer(container_id)) === null);
    for (const image of await engine.listSnapshots({ sessionId: labels.session_id })) await engine.removeSnapshot(image);

    const awake = { ...labels, gen: 2, name: 'renamed' };
    await create(awake, { image: `${repository}@${digest}` });
    const woken = await whenRunning(labels.session_id, 2);
    expect(await read(woken.container_id, '/home/typed')).toBe('before the sleep');
    expect((await engine.inspectContainer(woken.container_id))?.session).toEqual(awake);
  });
}
