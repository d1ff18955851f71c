import { type SessionRecord, newAttempt, repositoryOf, snapshotTagOf, writeSnapshotLabels } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { isOwnRegistry } from '@vibe/registry';
import type { AgentParts } from './agent-parts';

/** An unproven tag may be dropped from the registry after this long: longer than any hibernation may take. */
const UNPROVEN_TAG_MS = 30 * 60_000;

export interface TakenSnapshot {
  readonly digest: string;
  readonly bytes: number;
  readonly tag: string;
}

/**
 * Takes the snapshot of one frozen (or ended) container: commit, push, prove. The narrow port of a hibernation: whatever
 * replaces commit and push replaces this function alone. On return the snapshot was read back by digest, from the registry that has
 * the base image.
 * Each call draws a tag of its own, so that a late or doubled attempt overwrites nothing. Throws when anything is not as it
 * must be; then the local image is removed and the tag left to registry care.
 */
export async function takeSnapshot(
  parts: AgentParts,
  options: { record: SessionRecord; containerId: string; imageOfContainer: string; onStep: (step: SessionRecord['step']) => Promise<void>; signal: AbortSignal },
): Promise<TakenSnapshot> {
  const { engine, registry, care, store, settings } = parts;
  const { record, containerId, onStep, signal } = options;
  const repository = repositoryOf(record.id);
  const tag = snapshotTagOf(record.gen, record.rev, newAttempt());
  const reference = `${settings.REGISTRY_URL}/${repository}`;

  await onStep('committing');
  const labels = writeSnapshotLabels({
    session_id: record.id,
    user_id: record.user_id,
    gen: record.gen,
    name: record.name,
    created_at: record.created_at,
    rev: record.rev,
    last_activity: record.last_activity,
    taken: await store.now(),
    container_id: containerId,
  });
  await engine.commitContainer(containerId, { repository: reference, tag, labels, signal });
  try {
    await failpoint('hibernate.after-commit');
    await onStep('pushing');
    await care.expectTag(record.id, tag, UNPROVEN_TAG_MS);
    await failpoint('hibernate.before-push');
    // What was there before is asked for while the push takes its time.
    const [{ digest }, knownLayers] = await Promise.all([engine.pushImage({ repository: reference, tag, signal }), registry.layersOf(options.imageOfContainer, signal)]);
    await failpoint('hibernate.after-push');
    await onStep('proving');
    // Before the proof: if ours is back since the push, it does not have the snapshot.
    if (!(await isOwnRegistry(registry, settings, signal))) throw new Error('the registry does not have the base image: it is another one, or not as it was');
    const { bytes } = await registry.prove({ repository, digest, sessionId: record.id, gen: record.gen, rev: record.rev, knownLayers, signal });
    return { digest, bytes, tag };
  } catch (error) {
    await engine.removeImage(`${reference}:${tag}`).catch((failure: unknown) => parts.logger.warn('an unused snapshot stays on the node', { session_id: record.id, tag, error: failure }));
    throw error;
  }
}
