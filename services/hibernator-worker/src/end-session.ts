import { type PayloadOf, SWARM_QUEUE, type SessionWork, mayOwnContainer, nodeJobs, nodeQueueOf, repositoryOf, stateTable, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import type { JobContext } from '@vibe/session-store';
import { ACTOR, type AgentParts } from './agent-parts';
import { tryLater } from './try-later';

/** How long to leave a container that is being removed, in ms: a removal takes about 3 s. */
const CONTAINER_GOES_MS = 500;

/**
 * Removes one generation's service, then its secret. By service id where it is known; else by name, and only at this generation
 * or a lower one. Never what the record says is in use (a rebuild has adopted it since, at this generation or a lower one), and not
 * while the records are put together: the rebuild may be about to adopt it.
 * @throws `rebuilding`: the job comes again, or the next reconcile asks for it
 */
export async function retireGeneration(parts: AgentParts, payload: PayloadOf<typeof swarmJobs.retire>): Promise<void> {
  const { engine, store, epoch } = parts;
  const generationInUse = async (): Promise<number | null> => {
    const record = await store.get(payload.session_id);
    // After the record: one that is absent because Redis was emptied is no word to go by.
    await epoch.require();
    return record && stateTable[record.state].holdsContainer ? record.gen : null;
  };
  if ((await generationInUse()) === payload.gen) return;
  await failpoint('retire.before-service');
  if (payload.service_id !== null) await engine.removeService(payload.service_id);
  const left = await engine.findSessionService(payload.session_id);
  const inUse = await generationInUse();
  if (left && left.gen <= payload.gen && left.gen !== inUse) await engine.removeService(left.service_id);
  await failpoint('retire.after-service');
  await engine.removeSessionSecrets(payload.session_id, { upToGen: payload.gen, butGen: inUse });
  await failpoint('retire.after-secret');
}

/**
 * Erases a session that is `deleting`: service, secrets, everything in the registry, then the images on every node that held
 * it. It ends when each such node confirmed (and adds this job again) or has left the Swarm. Safe to repeat.
 */
export async function eraseSession(parts: AgentParts, { session_id, rev }: SessionWork): Promise<void> {
  const { engine, store, registry, queues, logger } = parts;
  const record = await store.get(session_id);
  if (record?.rev !== rev || record.state !== 'deleting') return;
  // Its time runs from the first try: the reaper adds this job again every 10 s, and the alarm must come.
  if (record.step !== 'erasing') await store.progress({ id: session_id, rev, set: { step: 'erasing' }, deadlineMs: stateTable.deleting.deadlineMs });

  await failpoint('erase.before-service');
  const service = await engine.findSessionService(session_id);
  if (service) await engine.removeService(service.service_id);
  await engine.removeSessionSecrets(session_id, { upToGen: Infinity, butGen: null });
  await failpoint('erase.after-service');
  await registry.deleteRepository(repositoryOf(session_id));
  await failpoint('erase.after-registry');

  const members = new Set((await engine.listNodes()).map((node) => node.node_id));
  const holding = record.nodes.filter((node) => members.has(node));
  for (const gone of record.nodes.filter((node) => !members.has(node))) await store.forgetNode({ id: session_id, rev, nodeId: gone });
  for (const node of holding) await queues.add(nodeQueueOf(node), nodeJobs.dropImage, { session_id, rev, digest: null });
  await failpoint('erase.after-node-jobs');
  if (holding.length > 0) return;
  await failpoint('erase.before-remove');
  await store.remove({ id: session_id, rev, actor: ACTOR });
  await failpoint('erase.after-remove');
  logger.info('erased', { session_id, rev });
}

/**
 * Removes a container that has no service any more, unless the record, looked at anew, calls it its own. Safe to repeat.
 * @throws `rebuilding` while the records are put together
 */
export async function dropContainer({ engine, store, epoch }: AgentParts, { session_id, container_id }: PayloadOf<typeof nodeJobs.dropContainer>): Promise<void> {
  const container = await engine.inspectContainer(container_id);
  if (container?.session?.session_id !== session_id) return;
  const record = await store.get(session_id);
  await epoch.require();
  if (record && mayOwnContainer(record, { container_id, gen: container.session.gen })) return;
  await engine.removeContainer(container_id);
}

/** Removes an image that was committed here and never pushed, unless its session, looked at anew, is being put to sleep on this node. */
async function dropUnpushed({ engine, store, epoch, nodeId }: AgentParts, sessionId: string, imageId: string): Promise<void> {
  const record = await store.get(sessionId);
  await epoch.require();
  if (record?.state === 'hibernating' && record.node_id === nodeId) return;
  const image = (await engine.listSnapshots({ sessionId })).find(({ image_id, digest }) => image_id === imageId && digest === null);
  if (image) await engine.removeSnapshot(image);
}

/**
 * Whether the registry lacks the snapshot of a session that is not going: then any image of it may be all there is (a registry that came back
 * from an older backup). One that cannot be asked throws, and the image stays as well.
 */
async function mayBeTheLast({ store, epoch, registry }: AgentParts, sessionId: string): Promise<boolean> {
  const record = await store.get(sessionId);
  await epoch.require();
  if (record?.snapshot_digest === undefined || record.state === 'deleting') return false;
  return !(await registry.has(repositoryOf(sessionId), record.snapshot_digest));
}

/**
 * Removes a session's images from this node: all of them, one by digest, or one that was never pushed; the latter two not while the registry
 * lacks its snapshot. For a session that is `deleting` it comes back until its containers are gone too, and confirms.
 * @throws `rebuilding` while the records are put together, and what the registry answers where it cannot say: the next reconcile asks again
 */
export async function dropImages(parts: AgentParts, payload: PayloadOf<typeof nodeJobs.dropImage>, context: Pick<JobContext, 'job' | 'token'>): Promise<void> {
  const { engine, store, epoch, queues, nodeId, logger } = parts;
  const { session_id, rev, digest, image_id } = payload;
  const isOne = digest !== null || image_id !== undefined;
  if (isOne && (await mayBeTheLast(parts, session_id))) return void logger.warn('an image is kept: the registry does not have the snapshot of its session', { session_id, digest, image_id });
  if (image_id !== undefined) return dropUnpushed(parts, session_id, image_id);
  if (digest === null) {
    const record = await store.get(session_id);
    await epoch.require();
    if (record && record.state !== 'deleting') return;
    const containers = await engine.listSessionContainers({ sessionId: session_id });
    if (containers.length > 0) await tryLater(context, CONTAINER_GOES_MS);
  }
  for (const image of await engine.listSnapshots({ sessionId: session_id })) {
    if (digest !== null && image.digest !== digest) continue;
    await engine.removeSnapshot(image);
  }
  await failpoint('erase.after-images');
  if (digest !== null) return;
  const left = await store.forgetNode({ id: session_id, rev, nodeId });
  await failpoint('erase.after-confirm');
  if (left === 0) await queues.add(SWARM_QUEUE, swarmJobs.erase, { session_id, rev });
}
