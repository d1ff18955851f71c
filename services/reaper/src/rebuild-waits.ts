import { type NodeReport, SWARM_QUEUE, swarmJobs } from '@vibe/contracts';
import { isReadOnly } from '@vibe/registry';
import type { ReaperParts } from './reaper-parts';

/** As long as any start may take. */
const STARTING_LIMIT_MS = 120_000;

/**
 * What a rebuild that began `sinceMs` ago still waits for in these reports: a container that does not listen yet is not adopted, and
 * would be an orphan in the moment its terminal opens. Null when there is none, or when it has waited for as long as any start may
 * take: one that hangs must not keep all others waiting. Pure.
 */
export function waitOnStarts(reports: readonly NodeReport[], services: ReadonlySet<string>, sinceMs: number): string | null {
  if (sinceMs >= STARTING_LIMIT_MS) return null;
  const isStarting = reports.some(({ containers }) => containers.some(({ state, is_listening, service_id }) => state === 'running' && !is_listening && service_id !== null && services.has(service_id)));
  return isStarting ? 'terminals that are just starting' : null;
}

/**
 * Why the registry cannot be read now; null when it can. While it is collected, and around it, it may name fewer repositories than it has.
 * The collection gives way to a rebuild; its job is added again, because no tick does that while there is no epoch.
 */
export async function waitOnRegistry({ registry, collection, queues }: ReaperParts, signal: AbortSignal): Promise<string | null> {
  const isClosed = await isReadOnly(registry, signal);
  if (isClosed === false) return null;
  const at = await collection.current();
  if (at) await queues.add(SWARM_QUEUE, swarmJobs.collect, { run: at.run });
  return isClosed === null ? 'the registry, which does not answer' : 'the registry, which is being collected';
}
