import { type SessionRecord, type SessionWork, type SnapshotLabels, repositoryOf, secretNameOf, stateTable, terminalBaseOf } from '@vibe/contracts';
import { terminalCredential } from '@vibe/identity';
import { CodedError, failpoint, isCoded } from '@vibe/platform';
import { isOwnRegistry } from '@vibe/registry';
import type { JobContext } from '@vibe/session-store';
import { sessionServiceSpec } from '@vibe/swarm';
import type { AgentParts } from './agent-parts';
import { retireGeneration } from './end-session';
import { snapshotIsMissing, startFailed } from './start-failed';
import { tryLater } from './try-later';

/** How soon a start that found no free place looks again, in ms. */
const PLACE_RETRY_MS = 250;

/**
 * Makes secret and service of the generation that a record in `creating` or `waking` claims. It ends when the Engine has
 * taken the service: the agent on the chosen node reports the terminal. Safe to repeat; a late job finds another rev.
 */
export async function startSession(parts: AgentParts, { session_id, rev }: SessionWork, context: JobContext): Promise<void> {
  const { store } = parts;
  const record = await store.get(session_id);
  if (record?.rev !== rev || (record.state !== 'creating' && record.state !== 'waking')) return;
  await takePlace(parts, record, context);

  // Its time runs from the first ask: the reaper adds this job again every 10 s, and a start that hangs must become overdue.
  const isFirst = record.step !== 'asked' && record.step !== 'starting';
  const isOurs = await store.progress({ id: session_id, rev, ...(isFirst ? { set: { step: 'asked' }, deadlineMs: stateTable[record.state].deadlineMs } : { set: {} }) });
  if (!isOurs) return;
  await failpoint('start.after-place');

  const image = await imageOf(parts, record);
  if (image === null) return;
  await failpoint('start.after-image');
  const serviceId = await createService(parts, record, image);
  await failpoint('start.after-create');
  const isNoted = serviceId === null || (await store.progress({ id: session_id, rev, set: { service_id: serviceId } }));
  await failpoint('start.after-noted');
  if (!isNoted) await takeBack(parts, record, serviceId);
}

/**
 * The record moved while the service was being made. Its terminal may have opened by then. Otherwise this start hung for the
 * whole of another one's life, and made a generation once more that is over. Without a record nobody knows: then reconciling does.
 */
async function takeBack(parts: AgentParts, { id, rev, gen }: SessionRecord, serviceId: string): Promise<void> {
  if (!(await parts.store.get(id))) return;
  await retireGeneration(parts, { session_id: id, rev, gen, service_id: serviceId });
}

/** At most so many starts a node are asked for and not yet running: beyond that every start gets slower. */
async function takePlace(parts: AgentParts, record: SessionRecord, context: JobContext): Promise<void> {
  const view = await parts.reports.swarmView();
  const nodes = Math.max(1, view?.nodes.filter((node) => node.state === 'ready' && node.availability === 'active').length ?? 1);
  const place = await parts.store.claimStartSlot({ id: record.id, rev: record.rev, limit: nodes * parts.settings.STARTS_IN_FLIGHT_PER_NODE });
  if (place === 'full') await tryLater(context, PLACE_RETRY_MS);
}

/** The image to start from, by digest; null when there is none to start from and the record was moved accordingly. */
async function imageOf(parts: AgentParts, record: SessionRecord): Promise<string | null> {
  if (record.state === 'creating') return parts.baseImage.byDigest();
  const digest = record.snapshot_digest;
  if (digest === undefined) throw new Error('a waking session has no snapshot');
  const repository = repositoryOf(record.id);
  try {
    const labels = await labelsOf(parts, repository, digest);
    if (labels === 'gone' || labels?.session_id !== record.id) {
      await snapshotIsMissing(parts, record, labels === 'gone' ? 'its snapshot is gone from the registry' : 'its snapshot belongs to another session');
      return null;
    }
  } catch (error) {
    if (isCoded(error, 'registry_mismatch')) throw error;
    await startFailed(parts, record, 'The store of sleeping sessions cannot be reached. Your session is safe there; it is tried again.');
    parts.logger.error('the registry did not answer at a wake', { session_id: record.id, error });
    return null;
  }
  // Only looks in a row make a session lost.
  if (record.missing_since !== undefined) await parts.store.progress({ id: record.id, rev: record.rev, set: { missing_since: null } });
  return `${parts.settings.REGISTRY_URL}/${repository}@${digest}`;
}

/** What a snapshot says of itself. `gone`: our registry says that it does not have it. One that has no base image either is not ours. */
async function labelsOf({ registry, settings }: AgentParts, repository: string, digest: string): Promise<SnapshotLabels | null | 'gone'> {
  try {
    return (await registry.inspectSnapshot(repository, digest)).labels;
  } catch (error) {
    if (!isCoded(error, 'registry_not_found')) throw error;
    if (await isOwnRegistry(registry, settings)) return 'gone';
    throw new CodedError('registry_unreachable', 'the registry has neither the snapshot nor the base image: it is not ours, or empty', { cause: error, retryable: true });
  }
}

/** The id of this generation's service; null when a later generation is there already, so that this job is late. */
async function createService(parts: AgentParts, record: SessionRecord, image: string): Promise<string | null> {
  const { engine, settings } = parts;
  const { id, gen } = record;
  const labels = { session_id: id, user_id: record.user_id, gen, name: record.name, created_at: record.created_at };
  const credential = terminalCredential(settings.TTYD_KEY_FILE, id, gen);
  const secretId = await engine.ensureSecret({ name: secretNameOf(id, gen), data: credential.password, labels });
  await failpoint('start.after-secret');
  const spec = sessionServiceSpec({
    ...labels,
    image,
    secretId,
    secretName: secretNameOf(id, gen),
    base: terminalBaseOf(id, gen),
    network: settings.OVERLAY_NETWORK,
    constraint: settings.SESSION_CONSTRAINT,
    ...(record.wish_node === undefined ? {} : { wishNode: record.wish_node }),
    memoryLimitMib: settings.SESSION_MEMORY_LIMIT_MIB,
    memoryReservedMib: settings.SESSION_MEMORY_RESERVED_MIB,
    cpuLimit: settings.SESSION_CPU_LIMIT,
    pidsLimit: settings.SESSION_PIDS_LIMIT,
    egressAllow: settings.SESSION_EGRESS_ALLOW,
  });
  for (;;) {
    const created = await engine.createService(spec);
    if (created.outcome === 'created') return created.serviceId;
    const there = created.existing;
    if (there === null) continue;
    if (there.gen === gen) return there.service_id;
    if (there.gen > gen) return null;
    await engine.removeService(there.service_id);
    await failpoint('start.after-older-service');
  }
}
