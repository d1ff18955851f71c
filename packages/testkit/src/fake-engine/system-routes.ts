import { type Route, reply } from './engine-http';
import { hasLabels, parseFilters, requireFilters } from './container-routes';
import type { EngineEvent, FakeNode } from './fake-node';

export interface EngineVersion {
  readonly version: string;
  /** Its highest. */
  readonly api: string;
}

/** What an Engine says of itself, and its events. */
export function systemRoutes(node: FakeNode, engine: EngineVersion): Route[] {
  return [
    { method: 'GET', path: /^\/version$/, handle: (call) => reply(call, 200, { Version: engine.version, ApiVersion: engine.api, MinAPIVersion: '1.24' }) },
    { method: 'GET', path: /^\/_ping$/, handle: (call) => void call.response.end('OK') },
    {
      method: 'GET',
      path: /^\/info$/,
      handle: (call) =>
        reply(call, 200, {
          Name: node.name,
          MemTotal: node.memoryBytes,
          NCPU: 2,
          Driver: 'overlay2',
          DriverStatus: [['Backing Filesystem', 'extfs']],
          MemoryLimit: true,
          PidsLimit: true,
          CpuCfsQuota: true,
          ServerVersion: engine.version,
          Swarm: { NodeID: node.id, LocalNodeState: 'active', ControlAvailable: node.role === 'manager' },
        }),
    },
    {
      method: 'GET',
      path: /^\/events$/,
      query: ['filters'],
      handle: ({ query, response }) => {
        const filters = parseFilters(query.get('filters'));
        requireFilters(filters, ['type', 'label', 'event']);
        response.writeHead(200, { 'content-type': 'application/json' });
        response.flushHeaders();
        const tell = ({ action, container }: EngineEvent) => {
          if (filters['type'] && !filters['type'].includes('container')) return;
          if (filters['event'] && !filters['event'].includes(action)) return;
          if (!hasLabels(container.labels, filters['label'])) return;
          const attributes = { ...container.labels, image: container.reference, name: container.name, ...(action === 'die' ? { exitCode: String(container.exitCode) } : {}) };
          response.write(`${JSON.stringify({ Type: 'container', Action: action, Actor: { ID: container.id, Attributes: attributes }, scope: 'local', time: Math.floor(Date.now() / 1000) })}\n`);
        };
        const cut = () => response.destroy();
        node.events.on('event', tell).on('cut', cut);
        response.once('close', () => node.events.off('event', tell).off('cut', cut));
      },
    },
  ];
}
