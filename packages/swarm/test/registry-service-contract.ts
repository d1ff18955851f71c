import { randomUUID } from 'node:crypto';
import type { ServiceSpec } from 'dockerode';
import { type EngineUnderTest, when } from './engine-under-test';

const wanted = { isStillWanted: () => Promise.resolve(true) };
const ENDED = ['complete', 'failed', 'shutdown', 'rejected'];

/** What Swarm must do with the registry's service and with the one-shot that collects its garbage. */
export function registryServiceContract(get: () => EngineUnderTest): void {
  const registryService = `test-registry-${randomUUID().slice(0, 8)}`;
  let serviceId: string;

  beforeAll(async () => {
    const { engine, baseImage } = get();
    const spec = {
      Name: registryService,
      Labels: { of: 'a stack' },
      TaskTemplate: {
        ContainerSpec: { Image: baseImage, Env: ['OTHER=kept'], User: '0:0', StopGracePeriod: 0, Mounts: [{ Type: 'volume', Source: registryService, Target: '/var/lib/registry' }] },
        RestartPolicy: { Condition: 'any', Delay: 0 },
        Placement: { Constraints: ['node.role==manager'] },
      },
      Mode: { Replicated: { Replicas: 1 } },
      EndpointSpec: { Mode: 'dnsrr' },
    };
    const created = await engine.createService(spec as unknown as ServiceSpec);
    if (created.outcome !== 'created') throw new Error('the name is taken');
    serviceId = created.serviceId;
    await when('it runs', async () => (await engine.tasksOfService(serviceId)).find(({ state }) => state === 'running'));
  });
  afterAll(async () => {
    const collector = await get().engine.findCollector();
    if (collector) await get().engine.removeService(collector.serviceId);
    await get().engine.removeService(serviceId);
  });

  it('is asked to be read-only by another task with one more setting, once, and asked to be writable again', async () => {
    const { engine } = get();
    const runningTask = async () => (await engine.tasksOfService(serviceId)).find(({ state }) => state === 'running')?.taskId;
    const before = await runningTask();
    expect(await engine.setRegistryReadOnly(registryService, true, { isStillWanted: () => Promise.resolve(false) })).toBe(false);
    expect(await engine.isRegistryAskedReadOnly(registryService)).toBe(false);
    await engine.setRegistryReadOnly(registryService, true, wanted);
    expect(await engine.isRegistryAskedReadOnly(registryService)).toBe(true);
    const readOnly = await when('another task runs', async () => {
      const now = await runningTask();
      return now !== before && now;
    });
    await engine.setRegistryReadOnly(registryService, true, wanted);
    expect(await runningTask()).toBe(readOnly);
    await engine.setRegistryReadOnly(registryService, false, wanted);
    expect(await engine.isRegistryAskedReadOnly(registryService)).toBe(false);
    await when('a third task runs', async () => ![undefined, before, readOnly].includes(await runningTask()));
  });

  it('says by name that there is no such service', async () => {
    expect(await get().engine.isRegistryAskedReadOnly('no-such-registry')).toBe(false);
    expect(await get().engine.setRegistryReadOnly('no-such-registry', false, wanted)).toBe(true);
    await expect(get().engine.createCollector({ registryService: 'no-such-registry', run: 'aaaaaaaa' })).rejects.toMatchObject({ code: 'registry_service_missing' });
  });

  it('has one collector at a time: prepared without a task, started once, stopped, and never started by who is late', async () => {
    const { engine } = get();
    await engine.createCollector({ registryService, run: 'aaaaaaaa' });
    await engine.createCollector({ registryService, run: 'bbbbbbbb' });
    const prepared = (await engine.findCollector())!;
    expect(prepared).toMatchObject({ run: 'aaaaaaaa', isStarted: false });
    expect(await engine.tasksOfService(prepared.serviceId)).toEqual([]);

    await engine.startCollector(prepared);
    await when('it has a task', async () => (await engine.tasksOfService(prepared.serviceId))[0]);
    expect(await engine.findCollector()).toMatchObject({ isStarted: true });
    await expect(engine.startCollector(prepared)).rejects.toMatchObject({ code: 'engine_error', details: { status: 500 } });

    await engine.stopCollector((await engine.findCollector())!);
    await when('its task is over', async () => (await engine.tasksOfService(prepared.serviceId)).every(({ state }) => ENDED.includes(state)));
    const stopped = (await engine.findCollector())!;
    await engine.stopCollector(stopped);
    await expect(engine.startCollector(stopped)).rejects.toMatchObject({ details: { status: 500 } });
    expect(await engine.bytesFreedBy(stopped)).toBeNull();
    await engine.removeService(stopped.serviceId);
    expect(await engine.findCollector()).toBeNull();
    await expect(engine.startCollector(stopped)).rejects.toMatchObject({ details: { status: 404 } });
    await engine.stopCollector(stopped);
  });
}
