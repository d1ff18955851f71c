import { type NodeReport, type SessionState, type SwarmView, sessionStates, stateTable } from '@vibe/contracts';
import type { ApiParts } from './api-parts';
import { apiError } from './api-parts';

const RETRY_AFTER_S = 15;

/** What says how many sessions a node takes. */
interface PlacementLimits {
  /** True when sessions may run on managers too (an empty SESSION_CONSTRAINT). */
  readonly allowsManagers: boolean;
  readonly memoryReservedMib: number;
  readonly sessionsPerNodeMax: number;
}

/** The nodes that can take sessions now, with the number each takes in all. Pure. */
function nodesWithPlaces(view: SwarmView, reports: readonly NodeReport[], limits: PlacementLimits): { node_id: string; places: number; used: number }[] {
  const byNode = new Map(reports.map((report) => [report.node_id, report]));
  return view.nodes.flatMap((node) => {
    const report = byNode.get(node.node_id);
    const takes = node.state === 'ready' && node.availability === 'active' && (limits.allowsManagers || node.role === 'worker');
    if (!report || !takes) return [];
    const byMemory = Math.floor(report.memory_bytes / (limits.memoryReservedMib * 1024 * 1024));
    const used = report.containers.filter((container) => container.state !== 'exited').length;
    return [{ node_id: node.node_id, places: Math.min(byMemory, limits.sessionsPerNodeMax), used }];
  });
}

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
  limits: PlacementLimits;
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
