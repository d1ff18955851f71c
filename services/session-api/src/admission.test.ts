import { type SessionState, newSessionId, sessionStates } from '@vibe/contracts';
import { nodeReport } from '../test/api-under-test';
import { capacityOf } from './admission';

const limits = { allowsManagers: false, memoryReservedMib: 512, sessionsPerNodeMax: 3 };
const counts = (some: Partial<Record<SessionState, number>>) => Object.fromEntries(sessionStates.map((state) => [state, some[state] ?? 0])) as Record<SessionState, number>;
const node = (node_id: string, more: Partial<{ role: 'manager' | 'worker'; state: string; availability: string }> = {}) => ({ node_id, hostname: node_id, role: 'worker' as const, state: 'ready', availability: 'active', ...more });
const holding = (sessions: number) =>
  Array.from({ length: sessions }, (_, i) => ({ container_id: `c${i}`, session_id: newSessionId(), user_id: 'ann', name: 'x', created_at: 0, gen: 1, service_id: null, task_name: 't', state: 'running' as const, is_listening: true }));
const free = (nodes: ReturnType<typeof node>[], reports: ReturnType<typeof nodeReport>[], some: Partial<Record<SessionState, number>> = {}) =>
  capacityOf({ view: { seen_at: 0, nodes, services: [], secrets: [] }, reports, counts: counts(some), limits });

describe('the room for sessions', () => {
  it('is what nodes take less what has or will have a container, reported or not', () => {
    const result = free([node('n1'), node('n2')], [nodeReport('n1'), nodeReport('n2')], { creating: 1, running: 1, waking: 1, hibernating: 1, hibernated: 50, lost: 9, deleting: 9 });
    expect(result.free).toBe(2);
  });

  it('is none on nodes that are down, paused, managers or silent', () => {
    const nodes = [node('n1', { state: 'down' }), node('n2', { availability: 'pause' }), node('n3', { role: 'manager' }), node('n4')];
    expect(free(nodes, ['n1', 'n2', 'n3'].map((id) => nodeReport(id))).free).toBe(0);
  });

  it('is not used up by sessions on a node that takes no more', () => {
    const reports = [nodeReport('n1'), nodeReport('n2', { containers: holding(3) })];
    expect(free([node('n1'), node('n2', { availability: 'pause' })], reports, { running: 3 }).free).toBe(3);
  });

  it('is named node by node', () => {
    const reports = [nodeReport('n1', { containers: holding(3) }), nodeReport('n2', { containers: holding(2) })];
    expect([...free([node('n1'), node('n2')], reports, { running: 5 }).nodesWithRoom]).toEqual(['n2']);
  });
});
