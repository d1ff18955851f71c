import { isCoded } from '@vibe/platform';
import { type RegistryClient, placeOfBaseImage } from '@vibe/registry';
import type { Settings } from './settings';

const KEPT_FOR_MS = 60_000;

/**
 * The base image by digest: the Engine resolves no tags for API clients, and a task that names a tag asks the registry at
 * every start. Asked of the registry at most once a minute; an answer that has grown old serves while the registry is away.
 */
export class BaseImage {
  private kept: { reference: string; at: number } | null = null;

  constructor(private readonly parts: { registry: RegistryClient; settings: Settings }) {}

  async byDigest(): Promise<string> {
    if (this.kept && Date.now() - this.kept.at < KEPT_FOR_MS) return this.kept.reference;
    const { BASE_IMAGE, REGISTRY_URL } = this.parts.settings;
    const place = placeOfBaseImage(this.parts.settings);
    if (!place) return BASE_IMAGE;
    const named = `${REGISTRY_URL}/${place.repository}@`;
    if (place.reference.startsWith('sha256:')) return `${named}${place.reference}`;
    try {
      this.kept = { reference: `${named}${await this.parts.registry.resolve(place.repository, place.reference)}`, at: Date.now() };
      return this.kept.reference;
    } catch (error) {
      if (this.kept && isCoded(error, 'registry_unreachable')) return this.kept.reference;
      throw error;
    }
  }
}
