import { type ContainerReport, type NodeReport, type SessionRecord, type SnapshotLabels, type SwarmView, userIdSchema } from '@vibe/contracts';
import type { Adoption } from '@vibe/session-store';

/** The snapshot of one session that stood the proof: the highest generation's, and of that the highest revision's. */
export interface FoundSnapshot {
  readonly labels: SnapshotLabels;
  readonly digest: string;
  readonly bytes: number;
  /** Of all its tags, proven or not. */
  readonly highestGen: number;
}

export interface RebuildWitnesses {
  readonly reports: readonly NodeReport[];
  readonly view: SwarmView;
  readonly snapshots: readonly FoundSnapshot[];
  /** Records that are there although Redis cannot be believed: the weakest witness, and the only one of names and deletions. */
  readonly records: readonly SessionRecord[];
  readonly nowMs: number;
  readonly hibernatedTtlMs: number;
  readonly baseImage: string;
}

/** A snapshot that is overdue by its age is kept so long all the same: its user could not know. */
const EXPIRY_GRACE_MS = 60 * 60_000;

const MAY_LACK = 'A machine was down or drained when the list of sessions was put together again: what was done here since it last slept may be missing';

interface Evidence {
  readonly containers: (ContainerReport & { readonly node_id: string })[];
  snapshot: FoundSnapshot | null;
  record: SessionRecord | null;
  readonly nodes: Set<string>;
  /** Of its services and secrets. */
  readonly gens: number[];
  /** The highest generation that has a service; 0 without. */
  servedGen: number;
  /** A node that has the snapshot's layers. */
  holder: string | null;
}

/**
 * Which sessions are adopted, and as what: a container beats a snapshot of its generation, a higher generation wins;
 * images on nodes never count. A record stays as it is when it knows of a later generation than any witness, or that the
 * session is over; not one of a wake whose terminal nobody can tell of. Pure.
 */
export function planAdoptions(witnesses: RebuildWitnesses): Adoption[] {
  const services = new Set(witnesses.view.services.map(({ service_id }) => service_id));
  return [...gather(witnesses)].flatMap(([id, evidence]) => adopt(id, evidence, services, witnesses) ?? []);
}

function gather({ reports, view, snapshots, records }: RebuildWitnesses): Map<string, Evidence> {
  const all = new Map<string, Evidence>();
  const of = (id: string): Evidence => {
    const evidence = all.get(id) ?? { containers: [], snapshot: null, record: null, nodes: new Set<string>(), gens: [], servedGen: 0, holder: null };
    all.set(id, evidence);
    return evidence;
  };
  for (const record of records) {
    of(record.id).record = record;
    for (const node of record.nodes) of(record.id).nodes.add(node);
  }
  for (const { session_id, gen } of [...view.services, ...view.secrets]) of(session_id).gens.push(gen);
  for (const { session_id, gen } of view.services) of(session_id).servedGen = Math.max(of(session_id).servedGen, gen);
  for (const snapshot of snapshots) of(snapshot.labels.session_id).snapshot = snapshot;
  for (const { node_id, containers, images } of reports) {
    for (const container of containers) {
      of(container.session_id).containers.push({ ...container, node_id });
      of(container.session_id).nodes.add(node_id);
    }
    for (const image of images) {
      const evidence = of(image.session_id);
      evidence.nodes.add(node_id);
      if (image.digest !== null && image.digest === evidence.snapshot?.digest) evidence.holder = node_id;
    }
  }
  return all;
}

function adopt(id: string, evidence: Evidence, services: ReadonlySet<string>, witnesses: RebuildWitnesses): Adoption | null {
  const { containers, snapshot, record, nodes } = evidence;
  const isAlive = (container: ContainerReport): boolean => isTerminal(container, services);
  const [terminal] = containers.filter((container) => isAlive(container) || isSavable(container, services)).sort((a, b) => b.gen - a.gen || Number(isAlive(b)) - Number(isAlive(a)));
  const isRetired = terminal !== undefined && isSuperseded(terminal, evidence, services);
  const isAwake = terminal !== undefined && !isRetired && terminal.gen >= (snapshot?.labels.gen ?? 0);
  const witness = isAwake ? terminal : snapshot?.labels;
  if (!witness || !userIdSchema.safeParse(witness.user_id).success) return null;
  if (record && (record.state === 'deleting' || record.state === 'lost' || record.state === 'failed')) return null;
  const lacks = mayLack(evidence, witnesses);
  // A wake that may have ended since, in a terminal that nobody can tell of: left as it is, it would go back to the snapshot without a word.
  const isLostWake = record?.state === 'waking' && !isAwake && lacks && evidence.servedGen >= record.gen;
  if (record && record.gen > witness.gen && !isLostWake) return null;

  const { nowMs, hibernatedTtlMs, baseImage } = witnesses;
  const shared = {
    id,
    fromRev: record?.rev ?? null,
    userId: witness.user_id,
    createdAt: witness.created_at,
    nodes: [...nodes].sort(),
  };
  const fields = {
    name: record?.name ?? witness.name,
    base_image: record?.base_image ?? baseImage,
    ...(snapshot ? { snapshot_digest: snapshot.digest, snapshot_bytes: snapshot.bytes, snapshot_rev: snapshot.labels.rev } : {}),
    // As long as it is this snapshot that the session came back from.
    ...(record?.may_lack !== undefined && record.snapshot_digest === snapshot?.digest ? { may_lack: record.may_lack } : {}),
  };
  if (isAwake) {
    const { gen, node_id, container_id, task_name, service_id, state } = terminal;
    return { ...shared, state: 'running', lastActivityAgeMs: 0, fields: { ...fields, gen, node_id, container_id, task_name, ...(service_id === null ? {} : { service_id }), ...(state === 'running' ? {} : { frozen_container: container_id }) } };
  }
  if (!snapshot) return null;
  return {
    ...shared,
    state: 'hibernated',
    lastActivityAgeMs: Math.max(0, nowMs - snapshot.labels.last_activity),
    deadlineMs: Math.max(EXPIRY_GRACE_MS, hibernatedTtlMs - Math.max(0, nowMs - snapshot.labels.taken)),
    // A wake that was under way, or a snapshot that is no good, has used up a generation: no later one may have its number.
    fields: {
      ...fields,
      gen: Math.max(snapshot.highestGen, ...containers.map(({ gen }) => gen), ...evidence.gens),
      ...(evidence.holder === null ? {} : { node_id: evidence.holder }),
      ...(lacks ? { may_lack: MAY_LACK } : {}),
    },
  };
}

/**
 * The snapshot's generation or a later one still has a service, its container is on none of the nodes that told, and some could not
 * tell: a snapshot of the same generation may be of an attempt that was called off.
 */
function mayLack({ containers, snapshot, servedGen }: Evidence, { reports, view }: RebuildWitnesses): boolean {
  const told = new Set(reports.map(({ node_id }) => node_id));
  return view.nodes.some(({ node_id, state }) => state === 'down' || !told.has(node_id)) && servedGen >= (snapshot?.labels.gen ?? 0) && !containers.some(({ gen }) => gen === servedGen);
}

/**
 * Past the commit point a container only waits for its removal, for seconds. A record that survived says so; without one it
 * is the missing service beside a proven snapshot of the same generation. A snapshot that was taken of another container of
 * this generation tells of one that was started twice: a job of a Redis that was rewound made it from an older snapshot.
 */
function isSuperseded({ gen, service_id, container_id }: ContainerReport, { record, snapshot }: Evidence, services: ReadonlySet<string>): boolean {
  if (snapshot?.labels.gen === gen && snapshot.labels.container_id !== undefined && snapshot.labels.container_id !== container_id) return true;
  if (record?.state === 'hibernated' && record.gen === gen) return true;
  return snapshot?.labels.gen === gen && (service_id === null || !services.has(service_id));
}

/**
 * A container that ended has its layer as long as its service is there. Nobody can know any more whether it was frozen when it ended,
 * so it is taken for one that was: its agent puts it to sleep. What was saved for nothing can be deleted, what was lost cannot be had.
 */
function isSavable({ state, service_id }: ContainerReport, services: ReadonlySet<string>): boolean {
  return state === 'exited' && service_id !== null && services.has(service_id);
}

/**
 * A frozen container counts: once its record says running, its agent thaws it. It need not listen, as long as its service is there: only
 * what has been a terminal is ever frozen, so that its layer holds what was typed. One that runs and does not listen may never have been one.
 */
function isTerminal({ state, is_listening, service_id }: ContainerReport, services: ReadonlySet<string>): boolean {
  if (state === 'paused') return is_listening || (service_id !== null && services.has(service_id));
  return is_listening && state === 'running';
}
