import { isCoded } from '@vibe/platform';
import type { RegistryClient } from './registry-client';

/** Asked whether it would take a push; it is always there. */
const PROBE_REPOSITORY = 'vibe-terminal';

type Asked = Pick<RegistryClient, 'takesPushes'>;

/** What a proxy says while nobody is behind it. */
const nobodyThere: readonly unknown[] = [429, 502, 503, 504];

/** Whether the registry takes pushes now, by its own answer; null while it does not answer. */
export async function takesPushes(registry: Asked, signal?: AbortSignal): Promise<boolean | null> {
  try {
    return await registry.takesPushes(PROBE_REPOSITORY, signal);
  } catch (error) {
    if (isCoded(error, 'registry_unreachable')) return null;
    throw error;
  }
}

/**
 * Whether the registry was made read-only: then it is being collected, and what it says of its content is not to be believed. One
 * that takes no pushes for another reason (a full disk, a login that may not) can be read. Null while it does not answer.
 */
export async function isReadOnly(registry: Asked, signal?: AbortSignal): Promise<boolean | null> {
  try {
    return !(await registry.takesPushes(PROBE_REPOSITORY, signal));
  } catch (error) {
    if (!isCoded(error, 'registry_unreachable') && !isCoded(error, 'registry_error')) throw error;
    const { status } = (error.details ?? {}) as { status?: unknown };
    return status === undefined || nobodyThere.includes(status) ? null : false;
  }
}
