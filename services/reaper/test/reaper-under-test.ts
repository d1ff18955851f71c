import { type ContainerReport, type NodeReport, type RecordFields, type SessionRecord, type SessionState, type SnapshotLabels, type SwarmView, newSessionId, sessionOfRepository, snapshotTagOf } from '@vibe/contracts';
import { CodedError, Registry, silentLogger } from '@vibe/platform';
import { Epoch, NodeReports, RegistryCollection, SessionStore, SnapshotCare, keys } from '@vibe/session-store';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { createReaperMetrics } from '../src/reaper-metrics';
import type { ReaperParts, SnapshotShelf } from '../src/reaper-parts';

export interface AddedJob {
  readonly queueName: string;
  readonly name: string;
  readonly payload: unknown;
}

export const never = new AbortController().signal;
export const digestOf = (letter: string): string => `sha256:${letter.repeat(64)}`;

export const settings = { REGISTRY_URL: 'registry:5000', BASE_IMAGE: 'registry:5000/vibe-terminal:1', IDLE_TIMEOUT_MINUTES: 120, HIBERNATED_TTL_DAYS: 7, HIBERNATIONS_PER_NODE: 2, REGISTRY_COLLECT_HOURS: 24 };

/** A registry in memory: what is in it, what was deleted, and which digests lie. */
export class ShelfInMemory implements SnapshotShelf {
  readonly images = new Map<string, { repository: string; tag: string; labels: SnapshotLabels | null; bytes: number }>();
  readonly broken = new Set<string>();
  readonly readBack: string[] = [];
  isDown = false;
  hasBaseImage = true;
  isReadOnly = false;

  put(digest: string, labels: SnapshotLabels, tag = snapshotTagOf(labels.gen, labels.rev, 'aaaaaaaa')): string {
    this.images.set(digest, { repository: `vibe-session-${labels.session_id}`, tag, labels, bytes: 7 });
    return tag;
  }

  private of(repository: string) {
    if (this.isDown) throw new CodedError('registry_unreachable', 'the registry does not answer', { retryable: true });
    return [...this.images].filter(([, image]) => image.repository === repository);
  }

  private find(repository: string, reference: string) {
    const found = this.of(repository).find(([digest, { tag }]) => digest === reference || tag === reference);
    if (!found) throw new CodedError('registry_not_found', 'the registry does not have it');
    return { digest: found[0], ...found[1] };
  }

  takesPushes = async () => {
    this.of('');
    return !this.isReadOnly;
  };
  catalogue = async () => {
    this.of('');
    return ['vibe-terminal', ...new Set([...this.images.values()].map(({ repository }) => repository))];
  };
  has = async (repository: string, reference: string) => {
    this.of('');
    return `registry:5000/${repository}:${reference}` === settings.BASE_IMAGE && this.hasBaseImage;
  };
  listTags = async (repository: string) => this.of(repository).map(([, { tag }]) => tag);
  resolve = async (repository: string, tag: string) => this.find(repository, tag).digest;
  inspectSnapshot = async (repository: string, reference: string) => this.find(repository, reference);
  layersOf = async (reference: string) => [`layer of ${reference}`];
  prove = async ({ digest, knownLayers }: { digest: string; knownLayers: readonly string[] }) => {
    if (knownLayers.length === 0) this.readBack.push(digest);
    if (this.broken.has(digest)) throw new CodedError('registry_mismatch', 'a part of the snapshot is not in the registry');
    return { bytes: this.images.get(digest)?.bytes ?? 0 };
  };
  deleteManifest = async (_repository: string, digest: string) => void this.images.delete(digest);
  deleteRepository = async (repository: string) => {
    for (const [digest] of this.of(repository)) this.images.delete(digest);
  };
  sessions = () => [...new Set([...this.images.values()].map(({ repository }) => sessionOfRepository(repository)))];
}

export function createParts(redis: Redis): { parts: ReaperParts; shelf: ShelfInMemory; added: AddedJob[] } {
  const added: AddedJob[] = [];
  const shelf = new ShelfInMemory();
  const epoch = new Epoch(redis);
  const store = new SessionStore(redis, epoch);
  const parts: ReaperParts = {
    settings,
    store,
    epoch,
    reports: new NodeReports(redis),
    care: new SnapshotCare(redis),
    collection: new RegistryCollection(redis),
    queues: {
      add: async (queueName, job, payload) => {
        added.push({ queueName, name: job.name, payload });
      },
      obliterate: async (queueName) => {
        for (let at = added.length - 1; at >= 0; at -= 1) if (added[at]?.queueName === queueName) added.splice(at, 1);
      },
    },
    registry: shelf,
    metrics: createReaperMetrics({ registry: new Registry(), countSessions: () => store.counts() }),
    logger: silentLogger,
  };
  return { parts, shelf, added };
}

/** Moves the clock of every decision about time. */
export const skipClock = (redis: Redis, ms: number): Promise<number> => redis.incrby(keys.clockOffset, ms);

const GIB = 1024 ** 3;

export function nodeReport(nodeId: string, more: Partial<NodeReport> = {}): NodeReport {
  return { node_id: nodeId, hostname: nodeId, is_manager: false, memory_bytes: 64 * GIB, disk_total_bytes: 100, disk_free_bytes: 90, has_base_image: true, problems: [], containers: [], images: [], ...more };
}

/** Seen after any record of time 0 came to be what it is. */
export function swarmView(nodes: Record<string, string>, more: Partial<SwarmView> = {}): SwarmView {
  return { seen_at: 1, nodes: Object.entries(nodes).map(([node_id, state]) => ({ node_id, hostname: node_id, role: 'worker' as const, state, availability: 'active' })), services: [], secrets: [], ...more };
}

export function container(sessionId: string, more: Partial<ContainerReport> = {}): ContainerReport {
  return { container_id: `c-${sessionId}`, session_id: sessionId, user_id: 'ann', name: 'one', created_at: 1, gen: 1, service_id: `s-${sessionId}`, task_name: 't', state: 'running', is_listening: true, ...more };
}

export const labelsOf = (sessionId: string, more: Partial<SnapshotLabels> = {}): SnapshotLabels => ({ session_id: sessionId, user_id: 'ann', gen: 1, name: 'one', created_at: 1, rev: 3, last_activity: 1_000, taken: 1_000, ...more });

const roads: Record<SessionState, readonly [SessionState, RecordFields][]> = {
  creating: [],
  running: [['running', { node_id: 'n1', container_id: 'c', service_id: 's' }]],
  hibernating: [['running', { node_id: 'n1', container_id: 'c', service_id: 's' }], ['hibernating', { hibernate_reason: 'idle' }]],
  hibernated: [['running', { node_id: 'n1' }], ['hibernating', {}], ['hibernated', { snapshot_digest: digestOf('d') }]],
  waking: [['running', { node_id: 'n1' }], ['hibernating', {}], ['hibernated', { snapshot_digest: digestOf('d') }], ['waking', { gen: 2, service_id: 's2' }]],
  failed: [['failed', {}]],
  lost: [['running', { node_id: 'n1' }], ['lost', {}]],
  deleting: [['deleting', {}]],
};

/** A session led to the state over legal moves. */
export async function sessionIn(store: SessionStore, state: SessionState, more: RecordFields = {}): Promise<SessionRecord> {
  const created = await store.create({ id: newSessionId(), userId: 'ann', name: 'one', baseImage: 'base', maxPerUser: 1000, actor: 'test' });
  if (created.outcome !== 'created') throw new Error(created.outcome);
  let record = created.record;
  for (const [index, [to, set]] of roads[state].entries()) {
    const isLast = index === roads[state].length - 1;
    const deadline = to === 'hibernated' ? { deadlineMs: 7 * 86_400_000 } : {};
    const moved = await store.move({ id: record.id, rev: record.rev, to, actor: 'test', addNode: 'n1', set: isLast ? { ...set, ...more } : set, ...deadline });
    if (moved.outcome !== 'moved') throw new Error(`not ${to}`);
    record = moved.record;
  }
  return record;
}

/** A reaper's parts on an empty Redis whose records can be believed, new before each test of a file. Called once, at its top. */
export function useReaper(begin: (under: ReaperUnderTest) => Promise<unknown> = () => Promise.resolve()): ReaperUnderTest {
  const under = {} as ReaperUnderTest;
  useRedis(async (redis) => {
    Object.assign(under, createParts(redis), { redis });
    await under.parts.epoch.open();
    await begin(under);
  });
  return under;
}

type ReaperUnderTest = ReturnType<typeof createParts> & { readonly redis: Redis };
