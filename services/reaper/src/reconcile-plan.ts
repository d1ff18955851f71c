import { type NodeReport, type SessionRecord, type SwarmView, mayOwnContainer, stateTable } from '@vibe/contracts';

/** What was seen at one moment: views first, records after them, so that a record is never older than what it is held against. */
export interface ReconcileSnapshot {
  readonly view: SwarmView;
  readonly reports: readonly NodeReport[];
  /** The ids of all nodes that ever reported, those that have left among them. */
  readonly nodesEverSeen: readonly string[];
  readonly records: ReadonlyMap<string, SessionRecord>;
  readonly baseImage: string;
}

/** Every kind of step with its arguments; the executor has one function a kind. */
export interface StepArguments {
  /** The session's container or node is gone, and its data with it. */
  readonly lose: { readonly session_id: string; readonly rev: number };
  /** A generation's service (by id where one was seen) and its secret. */
  readonly retire: { readonly session_id: string; readonly rev: number; readonly gen: number; readonly service_id: string | null };
  /** A session's images on one node: all of them (digest null), one, or (by image_id) one that was never pushed. */
  readonly dropImage: { readonly session_id: string; readonly rev: number; readonly node_id: string; readonly digest: string | null; readonly image_id?: string };
  /** A container of one node that has no service. */
  readonly dropContainer: { readonly session_id: string; readonly node_id: string; readonly container_id: string };
  /** A node that has left the Swarm: its queue, which nobody serves any more, and its name. */
  readonly forgetNode: { readonly node_id: string };
  readonly prepull: { readonly node_id: string; readonly image: string };
  /** All that the registry has of a session. */
  readonly eraseRepository: { readonly session_id: string };
  /** A tag that is nobody's: it goes with the next round of what may be dropped. */
  readonly dropTag: { readonly session_id: string; readonly tag: string };
  /** What was never proven, or has been replaced. */
  readonly dropSnapshot: { readonly session_id: string; readonly reference: string; readonly digest: string };
  /** Something is missing, of a session or on a node, or records are (of many sessions one is named): a person is told, nothing is done. */
  readonly alarm: { readonly alarm: 'container_missing' | 'snapshot_missing' | 'repositories_unrecorded' | 'repository_unreadable'; readonly session_id: string } | { readonly alarm: 'agent_missing'; readonly node_id: string };
}

export type StepKind = keyof StepArguments;

export type Step = {
  [Kind in StepKind]: {
    readonly kind: Kind;
    readonly with: StepArguments[Kind];
    readonly why: string;
    /** What must have been seen for a minute before this is done; null = at once: a record says so. */
    readonly sighting: string | null;
  };
}[StepKind];

/** The rev in a job about a session that has no record. */
const NO_RECORD_REV = 1;
const IMAGE_OLD_MS = 24 * 3_600_000;
const DISK_FULL_SHARE = 0.8;
const DROPS_PER_NODE_MAX = 20;

/** What must be done so that nodes and Swarm are as the records say; `[]` means that they are. Pure. */
export function planReconcile(snapshot: ReconcileSnapshot): Step[] {
  return [...planLosses(snapshot), ...planAbsences(snapshot), ...planSilence(snapshot), ...planRetirements(snapshot), ...planContainers(snapshot), ...planFarewells(snapshot), ...snapshot.reports.flatMap((report) => planNode(snapshot, report))];
}

/** Sessions whose container ended or whose node went away. A container that is merely absent from a list is the agent's to look into. */
function planLosses({ view, reports, records }: ReconcileSnapshot): Step[] {
  const nodes = new Map(view.nodes.map((node) => [node.node_id, node]));
  const told = new Set(reports.map(({ node_id }) => node_id));
  const ended = new Set(reports.flatMap((report) => report.containers.filter(({ state }) => state === 'exited').map(({ container_id }) => container_id)));
  return [...records.values()].flatMap((record): Step[] => {
    if ((record.state !== 'running' && record.state !== 'hibernating') || record.node_id === undefined) return [];
    const lose = (why: string, sighting: string | null): Step[] => [{ kind: 'lose', with: { session_id: record.id, rev: record.rev }, why, sighting }];
    const node = nodes.get(record.node_id);
    if (!node) return lose('The session is lost: its node has left the Swarm.', `node ${record.node_id} ${record.id}`);
    // A node that was down when it was looked at may have come back since, and the session with it.
    const isDown = node.state === 'down' && record.state_since < view.seen_at;
    if (isDown) return lose(`The session is lost: its node ${node.hostname} went down.`, null);
    if (isToBeSaved(record)) return [];
    // Swarm takes all tasks off it: the session's, and the agent's who would have told.
    if (node.availability === 'drain' && !told.has(record.node_id)) return lose(`The session is lost: its node ${node.hostname} was drained.`, `drained ${record.id}`);
    const hasEnded = record.container_id !== undefined && ended.has(record.container_id);
    return hasEnded ? lose('The session is lost: its container ended.', null) : [];
  });
}

/**
 * Sessions that run by their record and whose container no node shows, for as long as two sightings. A list is no proof that
 * a container is gone: its agent inspects what it misses and calls the session lost, so this says that it did not.
 */
function planAbsences({ view, reports, records }: ReconcileSnapshot): Step[] {
  const ready = new Set(view.nodes.filter(({ state }) => state === 'ready').map(({ node_id }) => node_id));
  const told = new Set(reports.map(({ node_id }) => node_id).filter((node_id) => ready.has(node_id)));
  const there = new Set(reports.flatMap(({ containers }) => containers.map(({ container_id }) => container_id)));
  return [...records.values()].flatMap(({ id, state, node_id = '', container_id = '' }): Step[] => {
    if (state !== 'running' || !told.has(node_id) || there.has(container_id)) return [];
    return [{ kind: 'alarm', with: { alarm: 'container_missing', session_id: id }, why: 'it runs by its record, and no node shows its container', sighting: `missing ${id}` }];
  });
}

/** A container that ended while it was being put to sleep still has its layer: its agent commits that. */
const isToBeSaved = ({ state, frozen_container, container_id }: SessionRecord): boolean => state === 'hibernating' || (state === 'running' && frozen_container !== undefined && frozen_container === container_id);

/** Nodes that are there by what the Swarm says, and of which no agent tells. A node that is drained has none, and needs it only where a layer is to be saved. */
export function silentNodes({ view, reports, records }: Pick<ReconcileSnapshot, 'view' | 'reports' | 'records'>): SwarmView['nodes'] {
  const told = new Set(reports.map(({ node_id }) => node_id));
  const needed = new Set([...records.values()].filter(isToBeSaved).map(({ node_id }) => node_id));
  return view.nodes.filter(({ node_id, state, availability }) => state === 'ready' && !told.has(node_id) && (availability !== 'drain' || needed.has(node_id)));
}

/** Of such a node nothing is known: its sessions cannot fall asleep, and what is left there stays. */
function planSilence(snapshot: ReconcileSnapshot): Step[] {
  return silentNodes(snapshot).map(({ node_id, hostname }) => ({ kind: 'alarm', with: { alarm: 'agent_missing', node_id }, why: `the node ${hostname} is ready, and no agent tells of it`, sighting: `agent ${node_id}` }));
}

/** Containers that no service holds and no record calls its own: left by a node that was cut off, or made by hand. */
function planContainers({ view, reports, records }: ReconcileSnapshot): Step[] {
  const services = new Set(view.services.map(({ service_id }) => service_id));
  return reports.flatMap(({ node_id, containers }) =>
    containers.flatMap(({ session_id, container_id, service_id, gen }): Step[] => {
      if (service_id !== null && services.has(service_id)) return [];
      const record = records.get(session_id);
      if (record && mayOwnContainer(record, { container_id, gen })) return [];
      const why = record ? `container: it has no service, and its session is ${record.state} without it` : 'container: it has neither service nor record';
      return [{ kind: 'dropContainer', with: { session_id, node_id, container_id }, why, sighting: `container ${container_id}` }];
    }),
  );
}

/** Nodes that the Swarm does not list any more and that no agent tells of: their jobs would wait for ever. */
function planFarewells({ view, reports, nodesEverSeen }: ReconcileSnapshot): Step[] {
  const there = new Set([...view.nodes, ...reports].map(({ node_id }) => node_id));
  return nodesEverSeen
    .filter((node_id) => !there.has(node_id))
    .map((node_id) => ({ kind: 'forgetNode', with: { node_id }, why: 'queue: its node has left the Swarm', sighting: `left ${node_id}` }));
}

/** Services and secrets that no record wants. The record decides; without one it takes two sightings. */
function planRetirements({ view, records }: ReconcileSnapshot): Step[] {
  const nodeStates = new Map(view.nodes.map((node) => [node.node_id, node.state]));
  const judge = (id: string, gen: number): { why: string; rev: number; isSure: boolean } | null => {
    const record = records.get(id);
    if (!record) return { why: 'it has no record', rev: NO_RECORD_REV, isSure: false };
    if (record.state === 'deleting') return null;
    // A node that is cut off may come back, and with it a container that somebody wants to look at.
    if (record.state === 'lost' && record.node_id !== undefined && (nodeStates.get(record.node_id) ?? 'ready') !== 'ready') return null;
    if (gen > record.gen) return { why: `its generation ${gen} is later than any its record knows`, rev: record.rev, isSure: false };
    if (gen < record.gen) return { why: `its session is at generation ${record.gen}`, rev: record.rev, isSure: true };
    return stateTable[record.state].holdsContainer ? null : { why: `its session is ${record.state}`, rev: record.rev, isSure: true };
  };
  const servicesSeen = new Set(view.services.map(({ session_id, gen }) => `${session_id} ${gen}`));
  const services = view.services.flatMap(({ service_id, session_id, gen }): Step[] => {
    const verdict = judge(session_id, gen);
    return verdict ? [retire({ session_id, rev: verdict.rev, gen, service_id }, `service: ${verdict.why}`, verdict.isSure ? null : `service ${service_id}`)] : [];
  });
  const secrets = view.secrets.flatMap(({ secret_id, session_id, gen }): Step[] => {
    // Retiring the service of a generation takes its secret along.
    if (servicesSeen.has(`${session_id} ${gen}`)) return [];
    const verdict = judge(session_id, gen);
    return verdict ? [retire({ session_id, rev: verdict.rev, gen, service_id: null }, `secret: ${verdict.why}`, verdict.isSure ? null : `secret ${secret_id}`)] : [];
  });
  return [...services, ...secrets];
}

function retire(args: StepArguments['retire'], why: string, sighting: string | null): Step {
  return { kind: 'retire', with: args, why, sighting };
}

/** Images of one node that nobody needs there, and the base image that every node needs. */
function planNode({ view, records, baseImage }: ReconcileSnapshot, report: NodeReport): Step[] {
  const { node_id, images } = report;
  const isReady = view.nodes.some((node) => node.node_id === node_id && node.state === 'ready');
  const prepull: Step[] = isReady && !report.has_base_image ? [{ kind: 'prepull', with: { node_id, image: baseImage }, why: 'the base image is not there', sighting: null }] : [];
  const orphans = [...new Set(images.map(({ session_id }) => session_id).filter((id) => !records.has(id)))];
  const orphaned = orphans.map((session_id): Step => dropImage({ session_id, rev: NO_RECORD_REV, node_id, digest: null }, 'its session has no record', `image ${node_id} ${session_id}`));

  const isFull = report.disk_total_bytes > 0 && 1 - report.disk_free_bytes / report.disk_total_bytes >= DISK_FULL_SHARE;
  const spare = images
    .filter(({ session_id }) => isSpare(records.get(session_id), report))
    .filter(({ age_ms }) => isFull || age_ms >= IMAGE_OLD_MS)
    .sort((a, b) => b.age_ms - a.age_ms)
    .slice(0, DROPS_PER_NODE_MAX);
  const spared = spare.map(({ session_id, digest, image_id }): Step => {
    const why = `${isFull ? 'the disk is nearly full' : 'it is a day old'}, and ${digest === null ? 'it was never pushed' : 'it was pushed'}`;
    return dropImage({ session_id, rev: records.get(session_id)?.rev ?? NO_RECORD_REV, node_id, digest, ...(digest === null ? { image_id } : {}) }, why, null);
  });
  return [...prepull, ...orphaned, ...spared];
}

/**
 * Whether a node's images of a session are a mere cache now. Not where a container of it is, where it is being put to sleep, or
 * while it wakes: its layers may be what the node is chosen for.
 */
function isSpare(record: SessionRecord | undefined, { node_id, containers }: NodeReport): boolean {
  if (!record || containers.some(({ session_id }) => session_id === record.id)) return false;
  if (record.state === 'hibernated' || record.state === 'lost') return true;
  return (record.state === 'running' || record.state === 'hibernating') && record.node_id !== undefined && record.node_id !== node_id;
}

function dropImage(args: StepArguments['dropImage'], why: string, sighting: string | null): Step {
  return { kind: 'dropImage', with: args, why, sighting };
}

/** Steps that may be done now: those that need no second sighting, and those whose first one is long enough ago. Pure. */
export function ripeSteps(steps: readonly Step[], seenForMs: ReadonlyMap<string, number>, apartMs: number): Step[] {
  return steps.filter(({ sighting }) => sighting === null || (seenForMs.get(sighting) ?? 0) >= apartMs);
}
