import { SWARM_QUEUE, swarmJobs } from '@vibe/contracts';
import { takesPushes } from '@vibe/registry';
import type { ReaperParts } from './reaper-parts';

/**
 * Why the registry cannot be read now; null when it can. While it is collected, and around it, it may name fewer repositories than it has.
 * The collection gives way to a rebuild; its job is added again, because no tick does that while there is no epoch.
 */
export async function waitOnRegistry({ registry, collection, queues }: ReaperParts, signal: AbortSignal): Promise<string | null> {
  const isTaking = await takesPushes(registry, signal);
  if (isTaking) return null;
  const at = await collection.current();
  if (at) await queues.add(SWARM_QUEUE, swarmJobs.collect, { run: at.run });
  return isTaking === null ? 'the registry, which does not answer' : 'the registry, which is being collected';
}
