import { type SessionRecord, type SessionState, newSessionId, sessionRecordSchema } from '@vibe/contracts';
import { container, digestOf, nodeReport, swarmView } from '../test/reaper-under-test';
import { type ReconcileSnapshot, planReconcile, ripeSteps } from './reconcile-plan';

const id = newSessionId();
const HOUR = 3_600_000;

const record = (state: SessionState, more: Partial<SessionRecord> = {}): SessionRecord => ({
  ...sessionRecordSchema.parse({ id, user_id: 'ann', name: 'one', state, rev: 5, gen: 2, created_at: 0, last_activity: 0, state_since: 0, base_image: 'b' }),
  ...more,
});
const service = (gen: number) => ({ service_id: `s${gen}`, session_id: id, user_id: 'ann', name: 'one', created_at: 0, gen, image: 'i' });
const secret = (gen: number) => ({ secret_id: `x${gen}`, session_id: id, gen });

const plan = (more: Partial<ReconcileSnapshot> & { record?: SessionRecord }) =>
  planReconcile({ view: swarmView({ n1: 'ready' }), reports: [nodeReport('n1')], nodesEverSeen: [], baseImage: 'base', records: new Map(more.record ? [[id, more.record]] : []), ...more });
/** The plan without its sentences. */
const steps = (more: Parameters<typeof plan>[0]) => plan(more).map(({ kind, with: args, sighting }) => [kind, args, sighting]);

describe('the reconcile plan', () => {
  it('is empty when all is as the records say', () => {
    const own = [nodeReport('n1', { containers: [container(id, { container_id: 'c', service_id: 's2' })] })];
    expect(plan({ record: record('running', { node_id: 'n1', container_id: 'c' }), reports: own, view: swarmView({ n1: 'ready' }, { services: [service(2)], secrets: [secret(2)] }) })).toEqual([]);
    expect(plan({ record: record('waking'), view: swarmView({ n1: 'ready' }, { services: [service(2)], secrets: [secret(2)] }) })).toEqual([]);
    expect(plan({ record: record('deleting'), view: swarmView({ n1: 'ready' }, { services: [service(1)], secrets: [secret(1)] }) })).toEqual([]);
  });

  describe('calls a session lost', () => {
    const lost = (sighting: string | null) => [['lose', { session_id: id, rev: 5 }, sighting]];
    const at = { node_id: 'n1', container_id: 'c' };

    it('when its own container is seen ended, not when it is only absent', () => {
      const kinds = (containerId: string) => plan({ record: record('running', at), reports: [nodeReport('n1', { containers: [container(id, { container_id: containerId, state: 'exited' })] })] }).map(({ kind }) => kind);
      expect(kinds('c')).toEqual(['lose']);
      expect(kinds('older')).not.toContain('lose');
    });

    it('when its node is down, awake or falling asleep, with the node in the reason', () => {
      const view = swarmView({ n1: 'down' });
      expect(steps({ record: record('running', at), view })).toEqual(lost(null));
      expect(steps({ record: record('hibernating', at), view })).toEqual(lost(null));
      expect(plan({ record: record('running', at), view })[0]?.why).toBe('The session is lost: its node n1 went down.');
      expect(steps({ record: record('waking', at), view })).toEqual([]);
    });

    it('not by a view that may be older than its record: its node may have been down, come back, and have woken it since (I1)', () => {
      const view = swarmView({ n1: 'down' }, { seen_at: 10 });
      expect(steps({ record: record('running', { ...at, state_since: 9 }), view })).toEqual(lost(null));
      for (const state_since of [10, 11]) expect(steps({ record: record('running', { ...at, state_since }), view })).toEqual([]);
    });

    it('when its node left the Swarm, on two sightings', () => {
      expect(steps({ record: record('running', at), view: swarmView({}), reports: [] })).toEqual(lost(`node n1 ${id}`));
    });

    it('when its node was drained and took its agent along, on two sightings; what is to be saved there needs its agent', () => {
      const [node] = swarmView({ n1: 'ready' }).nodes;
      const view = { ...swarmView({}), nodes: [{ ...node!, availability: 'drain' as const }] };
      expect(steps({ record: record('running', at), view, reports: [] })).toEqual(lost(`drained ${id}`));
      expect(plan({ record: record('running', at), view }).map(({ kind }) => kind)).not.toContain('lose');
      const alarm = [['alarm', { alarm: 'agent_missing', node_id: 'n1' }, 'agent n1']];
      expect(steps({ record: record('hibernating', at), view, reports: [] })).toEqual(alarm);
      expect(steps({ record: record('running', { ...at, frozen_container: 'c' }), view, reports: [] })).toEqual(alarm);
    });

    it('but not when its container ended while it is put to sleep, or its agent is merely silent', () => {
      expect(steps({ record: record('hibernating', at), reports: [nodeReport('n1', { containers: [container(id, { container_id: 'c', state: 'exited' })] })] })).toEqual([]);
      expect(steps({ record: record('running', { ...at, frozen_container: 'c' }), reports: [nodeReport('n1', { containers: [container(id, { container_id: 'c', state: 'exited' })] })] })).toEqual([]);
      expect(plan({ record: record('running', at), reports: [] }).map(({ kind }) => kind)).not.toContain('lose');
      expect(steps({ record: record('running', at), view: swarmView({ n1: 'unknown' }) })).toEqual([]);
    });
  });

  describe('of containers (I5, F22, F23)', () => {
    const at = { node_id: 'n1', container_id: 'c' };
    const shown = (more: Parameters<typeof container>[1]) => [nodeReport('n1', { containers: [container(id, { service_id: 's2', gen: 2, ...more })] })];
    const dropped = (containerId: string) => [['dropContainer', { session_id: id, node_id: 'n1', container_id: containerId }, `container ${containerId}`]];

    it('removes one that has neither service nor record, on two sightings', () => {
      expect(steps({ reports: shown({ container_id: 'x' }) })).toEqual(dropped('x'));
      expect(steps({ reports: shown({ container_id: 'x', service_id: null }) })).toEqual(dropped('x'));
    });

    it.each(['hibernated', 'lost', 'failed', 'deleting'] as const)('removes one without a service whose session is %s', (state) => {
      expect(steps({ record: record(state), reports: shown({ container_id: 'x' }) })).toEqual(dropped('x'));
    });

    it('removes a second one beside the one that the record calls its own', () => {
      const reports = [nodeReport('n1', { containers: [container(id, { container_id: 'c', gen: 2 }), container(id, { container_id: 'x', gen: 2 })] })];
      expect(steps({ record: record('running', at), reports })).toEqual(dropped('x'));
    });

    it('leaves alone what a service holds, what the record calls its own, and what a start may call so yet', () => {
      const view = swarmView({ n1: 'ready' }, { services: [service(2)] });
      expect(steps({ record: record('lost', { node_id: 'n1' }), view: { ...view, nodes: swarmView({ n1: 'down' }).nodes }, reports: shown({ container_id: 'x' }) })).toEqual([]);
      for (const state of ['running', 'hibernating'] as const) expect(steps({ record: record(state, at), reports: shown({ container_id: 'c' }) })).toEqual([]);
      for (const state of ['creating', 'waking'] as const) expect(steps({ record: record(state), reports: shown({ container_id: 'x' }) })).toEqual([]);
    });

    it('raises an alarm, and destroys nothing, when the one that a record wants is nowhere', () => {
      const alarm = [['alarm', { alarm: 'container_missing', session_id: id }, `missing ${id}`]];
      expect(steps({ record: record('running', at) })).toEqual(alarm);
      expect(steps({ record: record('running', { node_id: 'n1' }) })).toEqual(alarm);
      expect(steps({ record: record('running', at), reports: shown({ container_id: 'c' }) })).toEqual([]);
      expect(steps({ record: record('running', at), reports: [] })).toEqual([['alarm', { alarm: 'agent_missing', node_id: 'n1' }, 'agent n1']]);
      expect(steps({ record: record('hibernating', at) })).toEqual([]);
    });
  });

  describe('retires a service and its secret', () => {
    const seen = (gen: number) => swarmView({ n1: 'ready' }, { services: [service(gen)], secrets: [secret(gen)] });
    const retired = (gen: number, rev: number, sighting: string | null) => [['retire', { session_id: id, rev, gen, service_id: `s${gen}` }, sighting]];

    it('at once when the record is at a later generation', () => {
      expect(steps({ record: record('waking'), view: seen(1) })).toEqual(retired(1, 5, null));
    });

    it.each(['hibernated', 'failed', 'lost'] as const)('at once when its session is %s', (state) => {
      expect(steps({ record: record(state), view: seen(2) })).toEqual(retired(2, 5, null));
    });

    it('on two sightings when there is no record, or an older one', () => {
      expect(steps({ view: seen(3) })).toEqual(retired(3, 1, 'service s3'));
      expect(steps({ record: record('hibernated'), view: seen(3) })).toEqual(retired(3, 5, 'service s3'));
    });

    it('not while the node of a lost session may come back', () => {
      const down = { ...seen(2), nodes: swarmView({ n1: 'down' }).nodes };
      expect(steps({ record: record('lost', { node_id: 'n1' }), view: down })).toEqual([]);
      expect(steps({ record: record('lost', { node_id: 'gone' }), view: seen(2) })).toEqual(retired(2, 5, null));
    });

    it('also where the secret alone is left', () => {
      const view = swarmView({ n1: 'ready' }, { secrets: [secret(1)] });
      expect(steps({ record: record('waking'), view })).toEqual([['retire', { session_id: id, rev: 5, gen: 1, service_id: null }, null]]);
      expect(steps({ view })).toEqual([['retire', { session_id: id, rev: 1, gen: 1, service_id: null }, 'secret x1']]);
    });
  });

  describe('drops images on nodes', () => {
    const image = (more: { age_ms: number; digest?: string | null }) => ({ image_id: 'i', session_id: id, gen: 1, digest: digestOf('a'), refs: [], ...more });
    const with_ = (images: ReturnType<typeof image>[], more = {}) => [nodeReport('n1', { images, ...more })];
    const dropped = (digest: string | null, rev: number, sighting: string | null) => [['dropImage', { node_id: 'n1', session_id: id, rev, digest }, sighting]];

    it('all of a session without a record, on two sightings', () => {
      expect(steps({ reports: with_([image({ age_ms: 0 }), image({ age_ms: 1 })]) })).toEqual(dropped(null, 1, `image n1 ${id}`));
    });

    it('of a session that sleeps when they are a day old or the disk is nearly full', () => {
      const sleeping = record('hibernated');
      expect(steps({ record: sleeping, reports: with_([image({ age_ms: 23 * HOUR })]) })).toEqual([]);
      expect(steps({ record: sleeping, reports: with_([image({ age_ms: 24 * HOUR })]) })).toEqual(dropped(digestOf('a'), 5, null));
      expect(steps({ record: sleeping, reports: with_([image({ age_ms: 1 })], { disk_free_bytes: 20 }) })).toEqual(dropped(digestOf('a'), 5, null));
    });

    it('of a session that runs on another node now, when they are a day old', () => {
      for (const state of ['running', 'hibernating'] as const) {
        const elsewhere = record(state, { node_id: 'n2', container_id: 'c' });
        const view = swarmView({ n1: 'ready', n2: 'ready' });
        const reports = (age_ms: number) => [...with_([image({ age_ms })]), nodeReport('n2', { containers: [container(id, { container_id: 'c', gen: 2 })] })];
        const dropsOf = (age_ms: number) => steps({ record: elsewhere, view, reports: reports(age_ms) }).filter(([kind]) => kind === 'dropImage');
        expect(dropsOf(23 * HOUR)).toEqual([]);
        expect(dropsOf(24 * HOUR)).toEqual(dropped(digestOf('a'), 5, null));
      }
    });

    it('by its id where it was never pushed, when it is a day old and nothing is pushed from that node', () => {
      const unpushed = (age_ms: number) => with_([image({ age_ms, digest: null })]);
      const byId = [['dropImage', { node_id: 'n1', session_id: id, rev: 5, digest: null, image_id: 'i' }, null]];
      for (const state of ['hibernated', 'lost'] as const) {
        expect(steps({ record: record(state), reports: unpushed(23 * HOUR) })).toEqual([]);
        expect(steps({ record: record(state), reports: unpushed(24 * HOUR) })).toEqual(byId);
      }
      expect(steps({ record: record('hibernating', { node_id: 'n1' }), reports: unpushed(99 * HOUR) })).toEqual([]);
    });

    it('never one that a session may be running from, or is waking from', () => {
      for (const state of ['running', 'hibernating', 'waking', 'creating', 'deleting'] as const) expect(steps({ record: record(state), reports: with_([image({ age_ms: 99 * HOUR })]) })).toEqual([]);
      const stillThere = with_([image({ age_ms: 99 * HOUR })], { containers: [container(id, { gen: 2, state: 'exited' })] });
      expect(steps({ record: record('hibernated'), reports: stillThere }).filter(([kind]) => kind === 'dropImage')).toEqual([]);
    });
  });

  it('brings the base image to a node that has lost it', () => {
    expect(steps({ reports: [nodeReport('n1', { has_base_image: false }), nodeReport('n2', { has_base_image: false })] })).toEqual([['prepull', { node_id: 'n1', image: 'base' }, null]]);
  });

  it('does at once what a record says, and the rest when it has been seen for a minute', () => {
    const all = plan({ record: record('hibernated'), view: swarmView({ n1: 'ready' }, { services: [service(2), service(3)] }) });
    expect(all).toHaveLength(2);
    expect(ripeSteps(all, new Map([['service s3', 59_999]]), 60_000)).toHaveLength(1);
    expect(ripeSteps(all, new Map([['service s3', 60_000]]), 60_000)).toHaveLength(2);
  });
});
