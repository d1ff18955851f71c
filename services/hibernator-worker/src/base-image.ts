import { isCoded } from '@vibe/platform';
import type { RegistryClient } from '@vibe/registry';
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
    const [, repository, tag, digest] = /^([^:@]+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(BASE_IMAGE.slice(REGISTRY_URL.length + 1)) ?? [];
    if (!BASE_IMAGE.startsWith(`${REGISTRY_URL}/`) || repository === undefined) return BASE_IMAGE;
    if (digest !== undefined) return `${REGISTRY_URL}/${repository}@${digest}`;
    try {
      const digest = await this.parts.registry.resolve(repository, tag ?? 'latest');
      this.kept = { reference: `${REGISTRY_URL}/${repository}@${digest}`, at: Date.now() };
      return this.kept.reference;
    } catch (error) {
      if (this.kept && isCoded(error, 'registry_unreachable')) return this.kept.reference;
      throw error;
    }
  }
}
