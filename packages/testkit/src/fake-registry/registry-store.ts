import { createHash } from 'node:crypto';

export const digestOf = (content: Buffer | string): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

interface StoredManifest {
  readonly body: Buffer;
  readonly type: string;
}

interface Repository {
  readonly manifests: Map<string, StoredManifest>;
  /** Tag → digest of its manifest. */
  readonly tags: Map<string, string>;
  /** Blobs that were pushed to, or mounted into, this repository. Others answer 404 here although the store has them. */
  readonly blobs: Set<string>;
}

/** What a distribution registry keeps: content by its hash, and what each repository may show of it. */
export class RegistryStore {
  readonly blobs = new Map<string, Buffer>();
  /** As by its maintenance setting: whatever would write is refused. */
  isReadOnly = false;
  private readonly repositories = new Map<string, Repository>();

  repository(name: string): Repository | undefined {
    return this.repositories.get(name);
  }

  repositoryToWrite(name: string): Repository {
    const there = this.repositories.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Set() };
    this.repositories.set(name, there);
    return there;
  }

  /** All names, also of repositories that are empty by now: distribution keeps naming them. */
  names(): string[] {
    return [...this.repositories.keys()].sort();
  }

  /** Everything goes, as on a new disk. */
  clear(): void {
    this.blobs.clear();
    this.repositories.clear();
  }

  putBlob(repository: string, content: Buffer): string {
    const digest = digestOf(content);
    this.blobs.set(digest, content);
    this.repositoryToWrite(repository).blobs.add(digest);
    return digest;
  }

  blob(repository: string, digest: string): Buffer | undefined {
    return this.repository(repository)?.blobs.has(digest) ? this.blobs.get(digest) : undefined;
  }

  /** Stores a manifest; null when one of the blobs it names is not in the repository. */
  putManifest(repository: string, reference: string, body: Buffer, type: string): string | null {
    const into = this.repositoryToWrite(repository);
    const named = JSON.parse(body.toString()) as { config: { digest: string }; layers: { digest: string }[] };
    if (![named.config, ...named.layers].every((blob) => into.blobs.has(blob.digest))) return null;
    const digest = digestOf(body);
    into.manifests.set(digest, { body, type });
    if (!reference.startsWith('sha256:')) into.tags.set(reference, digest);
    return digest;
  }

  manifest(repository: string, reference: string): (StoredManifest & { digest: string }) | undefined {
    const from = this.repository(repository);
    const digest = reference.startsWith('sha256:') ? reference : from?.tags.get(reference);
    const found = digest === undefined ? undefined : from?.manifests.get(digest);
    return found && digest !== undefined ? { ...found, digest } : undefined;
  }

  /** Deletes a manifest and all tags that name it; false when there is none. Blobs stay until they are collected. */
  deleteManifest(repository: string, digest: string): boolean {
    const from = this.repository(repository);
    if (!from?.manifests.delete(digest)) return false;
    for (const [tag, named] of from.tags) if (named === digest) from.tags.delete(tag);
    return true;
  }

  /** What the registry's garbage-collect does: blobs that no manifest names go. Returns how many bytes they had. */
  collectGarbage(): number {
    const named = new Set([...this.repositories.values()].flatMap(({ manifests }) => [...manifests.values()].flatMap(({ body }) => [...body.toString().matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest))));
    let freed = 0;
    for (const [digest, content] of this.blobs) {
      if (named.has(digest)) continue;
      freed += content.length;
      this.blobs.delete(digest);
    }
    return freed;
  }
}
