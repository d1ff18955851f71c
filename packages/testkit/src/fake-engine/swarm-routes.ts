import { EngineRefusal, type Route, reply } from './engine-http';
import { hasLabels, parseFilters, requireFilters } from './container-routes';
import type { FakeNode } from './fake-node';
import type { FakeSwarm, StoredService, StoredTask } from './fake-swarm';
import { readSpec } from './service-spec-schema';

const describeService = (service: StoredService) => ({ ID: service.id, Version: { Index: service.version }, CreatedAt: service.createdAt, UpdatedAt: service.createdAt, Spec: service.spec });

const describeTask = (task: StoredTask) => ({
  ID: task.id,
  CreatedAt: task.createdAt,
  ServiceID: task.serviceId,
  Slot: 1,
  ...(task.nodeId === null ? {} : { NodeID: task.nodeId }),
  DesiredState: task.desiredState,
  Status: {
    State: task.state,
    ...(task.error === null ? {} : { Err: task.error }),
    ...(task.containerId === null ? {} : { ContainerStatus: { ContainerID: task.containerId, ExitCode: task.exitCode } }),
  },
});

/** Services, tasks, secrets and nodes. Only managers answer. */
export function swarmRoutes(node: FakeNode, swarm: FakeSwarm): Route[] {
  const service = (reference: string): StoredService => {
    const found = swarm.services.find(({ id, spec }) => id === reference || spec.Name === reference);
    if (!found) throw new EngineRefusal(404, `service ${reference} not found`);
    return found;
  };
  const routes: Route[] = [
    {
      method: 'POST',
      path: /^\/services\/create$/,
      handle: (call) => {
        if (call.auth === null) throw new EngineRefusal(400, 'a service without X-Registry-Auth cannot be pulled on another node');
        const spec = readSpec(call.body);
        if (!spec.success) throw new EngineRefusal(400, spec.error.message);
        const made = swarm.createService(spec.data, call.auth);
        if (made === 'name is taken') throw new EngineRefusal(409, `rpc error: code = AlreadyExists desc = name conflicts with an existing object`);
        if (made === 'no such secret') throw new EngineRefusal(400, 'rpc error: code = InvalidArgument desc = secret not found', true);
        reply(call, 201, { ID: made.id });
      },
    },
    {
      method: 'GET',
      path: /^\/services$/,
      query: ['filters'],
      handle: (call) => {
        const filters = parseFilters(call.query.get('filters'));
        requireFilters(filters, ['label', 'name']);
        const shown = swarm.services.filter(({ spec }) => hasLabels(spec.Labels, filters['label']) && (filters['name'] ?? ['']).some((name) => spec.Name.startsWith(name)));
        reply(call, 200, shown.map(describeService));
      },
    },
    { method: 'GET', path: /^\/services\/([^/]+)$/, handle: (call, reference = '') => reply(call, 200, describeService(service(reference))) },
    {
      method: 'POST',
      path: /^\/services\/([^/]+)\/update$/,
      query: ['version'],
      handle: (call, reference = '') => {
        const spec = readSpec(call.body);
        if (!spec.success) throw new EngineRefusal(400, spec.error.message);
        if (call.auth !== null) throw new EngineRefusal(400, 'a login that comes with an update goes to whichever registry the image is from');
        if (swarm.updateService(service(reference), Number(call.query.get('version')), spec.data) === 'updated') return reply(call, 200, {});
        throw new EngineRefusal(500, 'rpc error: code = Unknown desc = update out of sequence');
      },
    },
    {
      method: 'GET',
      path: /^\/services\/([^/]+)\/logs$/,
      query: ['stdout', 'tail'],
      handle: (call, reference = '') => {
        const { id } = service(reference);
        const containers = swarm.tasks.filter((task) => task.serviceId === id).flatMap((task) => swarm.nodes.flatMap((of) => of.containers.get(task.containerId ?? '') ?? []));
        // A header of eight bytes before each piece, as for every container without a terminal.
        for (const { printed } of containers) call.response.write(Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, Math.min(255, printed.length)]), Buffer.from(printed)]));
        call.response.end();
      },
    },
    {
      method: 'DELETE',
      path: /^\/services\/([^/]+)$/,
      handle: (call, reference = '') => {
        swarm.removeService(service(reference));
        reply(call, 200);
      },
    },
    {
      method: 'GET',
      path: /^\/tasks$/,
      query: ['filters'],
      handle: (call) => {
        const filters = parseFilters(call.query.get('filters'));
        requireFilters(filters, ['service']);
        const ids = (filters['service'] ?? []).map((reference) => service(reference).id);
        reply(call, 200, swarm.tasks.filter((task) => filters['service'] === undefined || ids.includes(task.serviceId)).map(describeTask));
      },
    },
    {
      method: 'GET',
      path: /^\/nodes$/,
      handle: (call) =>
        reply(
          call,
          200,
          swarm.nodes.map(({ id, name, role, state, availability }) => ({ ID: id, Description: { Hostname: name }, Spec: { Role: role, Availability: availability }, Status: { State: state } })),
        ),
    },
    {
      method: 'POST',
      path: /^\/secrets\/create$/,
      handle: (call) => {
        const { Name: name, Labels: labels = {}, Data: data } = call.body as { Name: string; Labels?: Record<string, string>; Data: string };
        const id = swarm.createSecret({ name, labels, data: Buffer.from(data, 'base64').toString() });
        if (id === null) throw new EngineRefusal(409, `rpc error: code = AlreadyExists desc = secret ${name} already exists`);
        reply(call, 201, { ID: id });
      },
    },
    {
      method: 'GET',
      path: /^\/secrets$/,
      query: ['filters'],
      handle: (call) => {
        const filters = parseFilters(call.query.get('filters'));
        requireFilters(filters, ['label', 'name']);
        const shown = swarm.secrets.filter((secret) => hasLabels(secret.labels, filters['label']) && (filters['name'] ?? ['']).some((name) => secret.name.startsWith(name)));
        reply(call, 200, shown.map((secret) => ({ ID: secret.id, Spec: { Name: secret.name, Labels: secret.labels } })));
      },
    },
    {
      method: 'DELETE',
      path: /^\/secrets\/([^/]+)$/,
      handle: (call, id = '') => {
        const outcome = swarm.removeSecret(id);
        if (outcome === 'absent') throw new EngineRefusal(404, `secret ${id} not found`);
        // The status of a call that a test makes on purpose: not counted as one that is wrong.
        if (outcome === 'in use') return reply(call, 400, { message: 'rpc error: code = InvalidArgument desc = secret is in use by the following service' });
        reply(call, 204);
      },
    },
  ];
  return routes.map((route) => ({
    ...route,
    handle: (call, ...groups) => {
      if (node.role !== 'manager') throw new EngineRefusal(503, 'This node is not a swarm manager.');
      return route.handle(call, ...groups);
    },
  }));
}
