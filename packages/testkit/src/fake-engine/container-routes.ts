import { EngineRefusal, type Route, reply } from './engine-http';
import type { FakeContainer } from './fake-container';
import type { FakeNode } from './fake-node';

/** `{"label": ["a", "b=c"]}` as the Engine takes it, lists or sets. */
export function parseFilters(text: string | null): Record<string, string[]> {
  const said = JSON.parse(text ?? '{}') as Record<string, string[] | Record<string, boolean>>;
  return Object.fromEntries(Object.entries(said).map(([key, values]) => [key, Array.isArray(values) ? values : Object.keys(values)]));
}

/** Refuses filters that the fake does not act on: one that was silently ignored would lie. */
export function requireFilters(filters: Record<string, string[]>, known: readonly string[]): void {
  for (const key of Object.keys(filters)) if (!known.includes(key)) throw new EngineRefusal(400, `the fake does not know the filter ${key}`);
}

export function hasLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[] = []): boolean {
  return wanted.every((label) => {
    const [key = '', value] = label.split(/=(.*)/s);
    return value === undefined ? key in labels : labels[key] === value;
  });
}

const describeContainer = (container: FakeContainer, isSizeWanted: boolean) => ({
  Id: container.id,
  Name: `/${container.name}`,
  Image: container.image.id,
  RestartCount: 0,
  ...(isSizeWanted ? { SizeRw: container.sizeRw } : {}),
  Config: { Image: container.reference, Labels: container.labels, Env: container.env },
  State: {
    Status: container.status,
    Running: container.isAlive,
    Paused: container.status === 'paused',
    Pid: container.pid,
    ExitCode: container.exitCode,
    OOMKilled: container.isOomKilled,
    StartedAt: container.startedAt,
    FinishedAt: container.finishedAt,
  },
});

/** One look at the CPU counter. A container that does not run gets zeros, as from the real one. */
const describeUse = (container: FakeContainer) => ({
  read: container.isAlive ? new Date().toISOString() : '0001-01-01T00:00:00Z',
  cpu_stats: { cpu_usage: { total_usage: container.isAlive ? container.cpuNs : 0 } },
});

/** Containers of one node: look, freeze, thaw, signal, measure, commit. The statuses are those of Engines 20.10 and 26.1. */
export function containerRoutes(node: FakeNode): Route[] {
  const get = (id: string): FakeContainer => {
    const found = node.containers.get(id);
    if (!found) throw new EngineRefusal(404, `No such container: ${id}`);
    return found;
  };
  return [
    {
      method: 'GET',
      path: /^\/containers\/json$/,
      query: ['all', 'filters'],
      handle: (call) => {
        const filters = parseFilters(call.query.get('filters'));
        requireFilters(filters, ['label']);
        const shown = [...node.containers.values()].filter((container) => (call.query.get('all') === 'true' || container.isAlive) && hasLabels(container.labels, filters['label']));
        reply(call, 200, shown.map((container) => ({ Id: container.id, Names: [`/${container.name}`], State: container.status, Labels: container.labels })));
      },
    },
    { method: 'GET', path: /^\/containers\/([^/]+)\/json$/, query: ['size'], handle: (call, id = '') => reply(call, 200, describeContainer(get(id), call.query.get('size') === 'true')) },
    { method: 'GET', path: /^\/containers\/([^/]+)\/changes$/, handle: (call, id = '') => reply(call, 200, get(id).changes) },
    {
      method: 'GET',
      path: /^\/containers\/([^/]+)\/stats$/,
      query: ['stream', 'one-shot'],
      handle: (call, id = '') => {
        if (call.query.get('stream') !== 'false' || call.query.get('one-shot') !== 'true') throw new EngineRefusal(400, 'stats must be asked for once: anything else waits for a second look');
        reply(call, 200, describeUse(get(id)));
      },
    },
    {
      method: 'POST',
      path: /^\/containers\/([^/]+)\/pause$/,
      handle: (call, id = '') => {
        const container = get(id);
        if (!container.isAlive) throw new EngineRefusal(409, `Container ${id} is not running`);
        if (container.status === 'paused') throw new EngineRefusal(409, `Container ${id} is already paused`);
        container.pause();
        reply(call, 204);
      },
    },
    {
      method: 'POST',
      path: /^\/containers\/([^/]+)\/unpause$/,
      handle: (call, id = '') => {
        const container = get(id);
        if (container.status !== 'paused') throw new EngineRefusal(500, `Container ${id} is not paused`);
        container.unpause();
        reply(call, 204);
      },
    },
    {
      method: 'POST',
      path: /^\/containers\/([^/]+)\/kill$/,
      query: ['signal'],
      handle: (call, id = '') => {
        const container = get(id);
        if (!container.isAlive) throw new EngineRefusal(409, `Container ${id} is not running`);
        container.signal(call.query.get('signal') ?? 'SIGKILL');
        reply(call, 204);
      },
    },
    {
      method: 'DELETE',
      path: /^\/containers\/([^/]+)$/,
      query: ['force', 'v'],
      handle: (call, id = '') => {
        const container = get(id);
        if (container.isAlive && call.query.get('force') !== 'true') throw new EngineRefusal(409, `You cannot remove a running container ${id}`);
        node.removeContainer(container);
        reply(call, 204);
      },
    },
    {
      method: 'POST',
      path: /^\/commit$/,
      query: ['container', 'repo', 'tag', 'pause'],
      handle: async (call) => {
        const container = get(call.query.get('container') ?? '');
        if (container.status === 'dead') throw new EngineRefusal(409, `You cannot commit container ${container.id} which is Dead`);
        const { repo, tag, pause } = Object.fromEntries(call.query);
        if (pause !== 'false') throw new EngineRefusal(400, 'a commit that pauses would thaw what is frozen');
        if (repo === undefined || tag === undefined) throw new EngineRefusal(400, 'a commit without a name is lost');
        const { Labels = {}, ...rest } = (call.body ?? {}) as { Labels?: Record<string, string> };
        if (Object.keys(rest).length > 0) throw new EngineRefusal(400, `a commit configures its labels alone, not ${Object.keys(rest).join(', ')}`);
        const image = await node.commit(container, { repository: repo, tag, labels: Labels });
        reply(call, 201, { Id: image.id });
      },
    },
  ];
}
