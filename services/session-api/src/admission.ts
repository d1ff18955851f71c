import { type NodeReport, type SessionState, type SwarmView, nodesWithPlaces, sessionStates, stateTable } from '@vibe/contracts';
import type { ApiParts } from './api-parts';
import { apiError } from './api-parts';

const RETRY_AFTER_S = 15;

export interface Capacity {
  /** How many more sessions the Swarm takes now. */
  readonly free: number;
  /** Nodes that take at least one more. */
  readonly nodesWithRoom: ReadonlySet<string>;
}

/**
 * What is free, by the agents' last reports and the records. Records count rather than containers: a claim of a moment ago
 * has a place before any node reports it. Containers on nodes that take no sessions any more (drained) use up none. Pure.
 */
export function capacityOf(options: {
  view: SwarmView | null;
  reports: readonly NodeReport[];
  counts: Readonly<Record<SessionState, number>>;
  limits: Parameters<typeof nodesWithPlaces>[2];
}): Capacity {
  const { view, reports, counts, limits } = options;
  if (!view) return { free: 0, nodesWithRoom: new Set() };
  const nodes = nodesWithPlaces(view, reports, limits);
  const taking = new Set(nodes.map((node) => node.node_id));
  const elsewhere = reports.filter((report) => !taking.has(report.node_id)).flatMap((report) => report.containers.filter((container) => container.state !== 'exited')).length;
  const placed = sessionStates.filter((state) => stateTable[state].holdsContainer).reduce((sum, state) => sum + counts[state], 0);
  const places = nodes.reduce((sum, node) => sum + node.places, 0);
  return {
    free: places - Math.max(0, placed - elsewhere),
    nodesWithRoom: new Set(nodes.filter((node) => node.used < node.places).map((node) => node.node_id)),
  };
}

/** Reads what is free now. Throws `no_capacity` when no node takes another session. */
export async function requireRoom(parts: Pick<ApiParts, 'store' | 'reports' | 'settings'>): Promise<Capacity> {
  const { store, reports, settings } = parts;
  const [view, nodeReports, counts] = await Promise.all([reports.swarmView(), reports.all(), store.counts()]);
  const limits = {
    allowsManagers: !settings.SESSION_CONSTRAINT.replaceAll(' ', '').includes('node.role==worker'),
    memoryReservedMib: settings.SESSION_MEMORY_RESERVED_MIB,
    sessionsPerNodeMax: settings.SESSIONS_PER_NODE_MAX,
  };
  const capacity = capacityOf({ view, reports: nodeReports, counts, limits });
  if (capacity.free < 1) throw apiError('no_capacity', 'there is no room for another session right now; try again soon', { retryable: true, retryAfterS: RETRY_AFTER_S });
  return capacity;
}
