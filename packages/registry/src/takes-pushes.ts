import { isCoded } from '@vibe/platform';
import type { RegistryClient } from './registry-client';

/** Asked whether it would take a push; it is always there. */
const PROBE_REPOSITORY = 'vibe-terminal';

/**
 * Whether the registry takes pushes now, by its own answer; null while it does not answer. One that takes none is being collected:
 * what it says of its content is not to be believed.
 */
export async function takesPushes(registry: Pick<RegistryClient, 'takesPushes'>, signal?: AbortSignal): Promise<boolean | null> {
  try {
    return await registry.takesPushes(PROBE_REPOSITORY, signal);
  } catch (error) {
    if (isCoded(error, 'registry_unreachable')) return null;
    throw error;
  }
}
