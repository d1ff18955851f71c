import { type ApiSession, type NodeReport, type RecordFields, type SessionRecord, type SessionState, newSessionId } from '@vibe/contracts';
import { createDoorkeeper, createTokens } from '@vibe/identity';
import { Registry, closeRedis, connectRedis, silentLogger, whenReady } from '@vibe/platform';
import { Epoch, NodeReports, SessionStore, subscribeToSessions } from '@vibe/session-store';
import type { ApiParts } from '../src/api-parts';
import { createJobRequests } from '../src/job-requests';
import { type SessionApi, createSessionApi } from '../src/session-api';

const tokens = createTokens({ key: 'k'.repeat(64) });
export const tokenOf = (userId: string): string => tokens.sign({ userId, roles: [] }, 3600);

export const settings = {
  BASE_IMAGE: 'registry:5000/vibe-terminal:1',
  MAX_SESSIONS_PER_USER: 3,
  IDLE_TIMEOUT_MINUTES: 120,
  HIBERNATED_TTL_DAYS: 7,
  SESSION_CONSTRAINT: 'node.role==worker',
  SESSION_MEMORY_RESERVED_MIB: 512,
  SESSIONS_PER_NODE_MAX: 300,
  TTYD_KEY_FILE: 't'.repeat(64),
  VIBE_PUBLIC_HOST: 'vibe.example',
};

export interface AddedJob {
  readonly queueName: string;
  readonly name: string;
  readonly payload: unknown;
}

/** Whatever an answer may hold; a test reads what it asked for. */
export interface AnswerJson extends ApiSession {
  readonly session: ApiSession;
  readonly sessions: readonly ApiSession[];
  readonly terminal: { readonly path: string; readonly auth_token: string } | undefined;
  readonly error: { readonly code: string; readonly message: string; readonly details: { readonly max?: number; readonly state?: string; readonly sessions?: unknown[] } };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: AnswerJson;
}

/** One process of the API on a real Redis; its queues only write down what was asked for. */
export interface ApiUnderTest {
  readonly api: SessionApi;
  readonly parts: ApiParts;
  readonly url: string;
  readonly added: AddedJob[];
  /** The next job cannot be added. */
  failNextAdd(): void;
  /** A call as the user's script makes it. */
  call(user: string, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startApi(redisUrl: string): Promise<ApiUnderTest> {
  const redis = connectRedis(redisUrl, { purpose: 'requests', name: 'api', logger: silentLogger });
  const subscription = connectRedis(redisUrl, { purpose: 'workers', name: 'events', logger: silentLogger });
  await Promise.all([whenReady(redis), whenReady(subscription)]);
  const added: AddedJob[] = [];
  let isAddBroken = false;
  const queues = {
    add: async (queueName: string, job: { name: string }, payload: unknown) => {
      if (isAddBroken) {
        isAddBroken = false;
        throw new Error('Redis went away');
      }
      added.push({ queueName, name: job.name, payload });
    },
  };
  const epoch = new Epoch(redis);
  const parts: ApiParts = {
    settings,
    logger: silentLogger,
    store: new SessionStore(redis, epoch),
    epoch,
    reports: new NodeReports(redis),
    jobs: createJobRequests({ queues, logger: silentLogger }),
  };
  const stopping = new AbortController();
  const api = createSessionApi({
    parts,
    registry: new Registry(),
    doorkeeper: createDoorkeeper({ tokens, publicHost: settings.VIBE_PUBLIC_HOST }),
    stopping: stopping.signal,
    isRedisThere: async () => (await redis.ping()) === 'PONG',
  });
  await subscribeToSessions(subscription, api.onEvent, api.onGap);
  const url = `http://127.0.0.1:${await api.http.listen(0)}`;

  return {
    api,
    parts,
    url,
    added,
    failNextAdd: () => void (isAddBroken = true),
    async call(user, method, path, body, headers = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${tokenOf(user)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, json: JSON.parse(text) as AnswerJson };
    },
    async stop() {
      stopping.abort();
      await api.http.close(100);
      await closeRedis(subscription);
      await closeRedis(redis);
    },
  };
}

const GIB = 1024 ** 3;

/** A worker node as its agent reports it. */
export function nodeReport(nodeId: string, more: Partial<NodeReport> = {}): NodeReport {
  return {
    node_id: nodeId,
    hostname: nodeId,
    is_manager: false,
    memory_bytes: 64 * GIB,
    disk_total_bytes: 100 * GIB,
    disk_free_bytes: 90 * GIB,
    has_base_image: true,
    problems: [],
    containers: [],
    images: [],
    ...more,
  };
}

/** Makes the Swarm have these nodes with room. */
export async function reportNodes(parts: ApiParts, reports: readonly NodeReport[]): Promise<void> {
  await parts.reports.putSwarmView({
    seen_at: await parts.store.now(),
    nodes: reports.map((report) => ({ node_id: report.node_id, hostname: report.hostname, role: report.is_manager ? 'manager' : 'worker', state: 'ready', availability: 'active' })),
    services: [],
    secrets: [],
  });
  for (const report of reports) await parts.reports.put(report);
}

const digest = `sha256:${'d'.repeat(64)}`;
const roads: Record<SessionState, readonly [SessionState, RecordFields][]> = {
  creating: [],
  running: [['running', { node_id: 'n1', container_id: 'c1', service_id: 's1', task_name: 't1' }]],
  hibernating: [['running', { node_id: 'n1' }], ['hibernating', { hibernate_reason: 'idle' }]],
  hibernated: [['running', { node_id: 'n1' }], ['hibernating', { hibernate_reason: 'idle' }], ['hibernated', { snapshot_digest: digest, snapshot_bytes: 5 }]],
  waking: [['running', { node_id: 'n1' }], ['hibernating', {}], ['hibernated', { snapshot_digest: digest }], ['waking', { gen: 2 }]],
  failed: [['failed', {}]],
  lost: [['running', { node_id: 'n1' }], ['lost', {}]],
  deleting: [['deleting', {}]],
};

/** A session of the user, led to the state over legal moves. */
export async function sessionIn(parts: ApiParts, state: SessionState, userId = 'ann'): Promise<SessionRecord> {
  const created = await parts.store.create({ id: newSessionId(), userId, name: 'one', baseImage: 'base', maxPerUser: 1000, actor: 'test' });
  if (created.outcome !== 'created') throw new Error(created.outcome);
  let record = created.record;
  for (const [to, set] of roads[state]) {
    const moved = await parts.store.move({ id: record.id, rev: record.rev, to, actor: 'test', set, reason: to === 'lost' || to === 'failed' ? `made ${to}` : '', ...(to === 'hibernated' ? { deadlineMs: 86_400_000 } : {}) });
    if (moved.outcome !== 'moved') throw new Error(`not ${to}`);
    record = moved.record;
  }
  return record;
}
