import type { RegistryClient } from './registry-client';

interface BaseImageSettings {
  readonly BASE_IMAGE: string;
  readonly REGISTRY_URL: string;
}

/** Where the base image lies in our registry; null when it is kept elsewhere. `reference` is its digest where it names one, else its tag. */
export function placeOfBaseImage({ BASE_IMAGE, REGISTRY_URL }: BaseImageSettings): { repository: string; reference: string } | null {
  if (!BASE_IMAGE.startsWith(`${REGISTRY_URL}/`)) return null;
  const [, repository, tag, digest] = /^([^:@]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(BASE_IMAGE.slice(REGISTRY_URL.length + 1)) ?? [];
  return repository === undefined ? null : { repository, reference: digest ?? tag ?? 'latest' };
}

/**
 * Whether the registry is the installation's own, by the base image that was pushed into it. One that came up empty, came back
 * from an older backup or is another one does not have it: then nothing follows from what it does not show. Ask after the look
 * that missed something. A base image that is kept elsewhere is no witness: then every registry is taken for ours.
 */
export async function isOwnRegistry(registry: Pick<RegistryClient, 'has'>, settings: BaseImageSettings, signal?: AbortSignal): Promise<boolean> {
  const place = placeOfBaseImage(settings);
  return place === null || registry.has(place.repository, place.reference, signal);
}
