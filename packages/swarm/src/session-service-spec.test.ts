import { type SessionServiceOptions, sessionServiceSpec } from './session-service-spec';

const id = 'abcdefghijklmnopqrstuvwxyz';
const options: SessionServiceOptions = {
  session_id: id,
  user_id: 'ann@example.org',
  gen: 3,
  name: 'my work',
  created_at: 1_700_000_000_000,
  image: `registry:5000/vibe-session-${id}@sha256:${'a'.repeat(64)}`,
  secretId: 'secret-id',
  secretName: `ttyd-${id}-g3`,
  base: `/ttyd/${id}/g3`,
  network: 'vibe-overlay',
  constraint: 'node.role==worker',
  memoryLimitMib: 2048,
  memoryReservedMib: 512,
  cpuLimit: 1,
  pidsLimit: 512,
  egressAllow: ['10.1.0.0/16', '192.168.7.0/24'],
};
const spec = sessionServiceSpec(options);
const template = spec.TaskTemplate as NonNullable<typeof spec.TaskTemplate> & { ContainerSpec: Record<string, unknown> };
const container = template.ContainerSpec;
const sessionLabels = { 'vibe.session': id, 'vibe.user': 'ann@example.org', 'vibe.gen': '3', 'vibe.name': 'my work', 'vibe.created': '1700000000000' };

describe("a session's service", () => {
  it('has the name of its session, and one container that is never replaced', () => {
    expect(spec.Name).toBe(`session-${id}`);
    expect(spec.Mode).toEqual({ Replicated: { Replicas: 1 } });
    expect(template.RestartPolicy).toMatchObject({ Condition: 'none' });
  });

  it('says whose it is, on the service and on the container', () => {
    expect(spec.Labels).toMatchObject(sessionLabels);
    expect(container['Labels']).toEqual(sessionLabels);
  });

  it('is routed by Traefik at exactly the path of this generation', () => {
    const router = `traefik.http.routers.s-${id}-g3`;
    expect(spec.Labels).toMatchObject({
      'traefik.enable': 'true',
      'traefik.swarm.network': 'vibe-overlay',
      [`${router}.rule`]: `Path(\`/ttyd/${id}/g3/ws\`)`,
      [`${router}.middlewares`]: 'terminal-auth@file,terminal-safe@file',
      [`${router}.service`]: `s-${id}-g3`,
      [`traefik.http.services.s-${id}-g3.loadbalancer.server.port`]: '7681',
      [`traefik.http.services.s-${id}-g3.loadbalancer.serverstransport`]: 'fast@file',
    });
    expect(Object.keys(container['Labels'] as object).some((label) => label.startsWith('traefik'))).toBe(false);
  });

  it('is one address on one network, with nothing published', () => {
    expect(template.Networks).toEqual([{ Target: 'vibe-overlay' }]);
    expect(spec.EndpointSpec).toEqual({ Mode: 'dnsrr' });
  });

  it('is removed without one more instruction: killed, with no grace', () => {
    expect(container).toMatchObject({ StopSignal: 'SIGKILL', StopGracePeriod: 0 });
  });

  it('gives the launcher what it needs and nothing else, and no init that would swallow its signals', () => {
    expect(container['CapabilityDrop']).toEqual(['ALL']);
    expect([...(container['CapabilityAdd'] as string[])].sort()).toEqual(['CAP_NET_ADMIN', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID']);
    expect(container['Init']).toBe(false);
  });

  it('mounts its credential for root alone, and holds no secret where a commit would keep it', () => {
    expect(container['Secrets']).toEqual([{ SecretID: 'secret-id', SecretName: `ttyd-${id}-g3`, File: { Name: 'ttyd', UID: '0', GID: '0', Mode: 0o400 } }]);
    expect(container['Env']).toEqual([`VIBE_BASE=/ttyd/${id}/g3`, 'SESSION_EGRESS_ALLOW=10.1.0.0/16,192.168.7.0/24']);
    expect(container['Mounts']).toEqual([]);
  });

  it('is limited', () => {
    expect(template.Resources).toEqual({
      Limits: { MemoryBytes: 2048 * 1024 * 1024, NanoCPUs: 1_000_000_000, Pids: 512 },
      Reservations: { MemoryBytes: 512 * 1024 * 1024 },
    });
    expect(template.LogDriver).toMatchObject({ Options: { 'max-size': '1m' } });
  });

  it.each([
    ['node.role==worker', undefined, ['node.role==worker']],
    ['node.role==worker', 'node7', ['node.role==worker', 'node.id==node7']],
    ['', 'node7', ['node.id==node7']],
    ['', undefined, []],
  ])('goes where it may (%s) and to the node it wishes for (%s)', (constraint, wishNode, wanted) => {
    const placed = sessionServiceSpec({ ...options, constraint, ...(wishNode === undefined ? {} : { wishNode }) });
    expect(placed.TaskTemplate?.Placement?.Constraints).toEqual(wanted);
  });

  it('takes a part of a CPU in whole nanoseconds', () => {
    const third = sessionServiceSpec({ ...options, cpuLimit: 1 / 3 });
    expect(third.TaskTemplate?.Resources?.Limits?.NanoCPUs).toBe(333_333_333);
  });

  it('is a few kB: managers keep 800 of them in their log', () => {
    expect(JSON.stringify(spec).length).toBeLessThan(3_000);
  });
});
