import { createHash } from 'node:crypto';
import { type SnapshotLabels, readSnapshotLabels } from '@vibe/contracts';
import { CodedError, isCoded } from '@vibe/platform';
import type { Agent, Dispatcher } from 'undici';
import { z } from 'zod';
import { type Blob, type Manifest, digestOf, listTypes, manifestTypes, mismatch, parseLabels, parseManifest } from './manifest';
import { type Ask, type RegistryConnection, ask, connectTo, readAs, readText } from './registry-http';

const PAGE = 200;
/** How a registry that is read-only answers whatever would write. */
const METHOD_NOT_ALLOWED = 405;
const tagsSchema = z.object({ tags: z.array(z.string()).nullable() });
const catalogueSchema = z.object({ repositories: z.array(z.string()) });

export interface SnapshotSeen {
  readonly digest: string;
  /** What its labels say; null when it is no snapshot of ours. */
  readonly labels: SnapshotLabels | null;
  /** Compressed size of all layers. */
  readonly bytes: number;
}

export interface ProofOf {
  readonly repository: string;
  readonly digest: string;
  readonly sessionId: string;
  readonly gen: number;
  readonly rev: number;
  /** Digests of layers that were there before: looked at by size. All others are read back and hashed. */
  readonly knownLayers: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * The registry, as we speak to it. Errors: `registry_not_found` (it says itself that the thing is not there),
 * `registry_unreachable` (retryable), `registry_mismatch` (what came back is not what it should be), `registry_error`.
 */
export class RegistryClient {
  private readonly pool: Agent;

  constructor(private readonly connection: RegistryConnection) {
    this.pool = connectTo(connection);
  }

  /** Closes the kept connections. */
  async close(): Promise<void> {
    await this.pool.close();
  }

  /** Resolves when the registry answers and takes our login. */
  async ping(signal?: AbortSignal): Promise<void> {
    await (await this.ask({ path: '/v2/', signal })).body.dump();
  }

  /**
   * Whether the registry takes pushes now: it is asked to begin one, which is called off at once. Asked on a fresh connection:
   * a kept one may lead to a process that is just ending.
   */
  async takesPushes(repository: string, signal?: AbortSignal): Promise<boolean> {
    const fresh = connectTo(this.connection);
    try {
      const begun = await this.ask({ method: 'POST', path: `/v2/${repository}/blobs/uploads/`, signal }, fresh);
      await begun.body.dump();
      const { pathname, search } = new URL(String(begun.headers['location']), this.connection.url);
      await (await this.ask({ method: 'DELETE', path: `${pathname}${search}`, signal }, fresh)).body.dump();
      return true;
    } catch (error) {
      if (isCoded(error, 'registry_error') && (error.details as { status?: unknown } | undefined)?.status === METHOD_NOT_ALLOWED) return false;
      throw error;
    } finally {
      await fresh.destroy();
    }
  }

  private ask(what: Ask, dispatcher: Dispatcher = this.pool): Promise<Dispatcher.ResponseData> {
    return ask(this.connection, dispatcher, what);
  }

  /** The digest that a tag names now. */
  async resolve(repository: string, tag: string, signal?: AbortSignal): Promise<string> {
    const answer = await this.ask({ method: 'HEAD', path: `/v2/${repository}/manifests/${tag}`, accept: manifestTypes, signal });
    await answer.body.dump();
    const digest = answer.headers['docker-content-digest'];
    if (typeof digest !== 'string') throw mismatch('the registry names no digest for the tag', { repository, tag });
    return digest;
  }

  /** Whether the registry has an image or a list of images, by digest or tag. False only when it says so itself. */
  async has(repository: string, reference: string, signal?: AbortSignal): Promise<boolean> {
    try {
      const answer = await this.ask({ method: 'HEAD', path: `/v2/${repository}/manifests/${reference}`, accept: [...manifestTypes, ...listTypes], signal });
      await answer.body.dump();
      return true;
    } catch (error) {
      if (isCoded(error, 'registry_not_found')) return false;
      throw error;
    }
  }

  /** The manifest by digest or tag; by digest its hash is compared. */
  private async manifestOf(repository: string, reference: string, signal?: AbortSignal, dispatcher?: Dispatcher): Promise<{ manifest: Manifest; digest: string }> {
    const text = await readText(await this.ask({ path: `/v2/${repository}/manifests/${reference}`, accept: manifestTypes, signal }, dispatcher), signal);
    const digest = digestOf(text);
    if (reference.startsWith('sha256:') && digest !== reference) throw mismatch('the manifest is not the one its digest names', { repository, reference, digest });
    return { manifest: parseManifest(text), digest };
  }

  private async labelsOf(repository: string, manifest: Manifest, signal?: AbortSignal, dispatcher?: Dispatcher): Promise<Record<string, string>> {
    const text = await readText(await this.ask({ path: `/v2/${repository}/blobs/${manifest.config.digest}`, signal }, dispatcher), signal);
    if (digestOf(text) !== manifest.config.digest) throw mismatch('the image config is not the one its digest names', { repository });
    return parseLabels(text);
  }

  /** What a snapshot says of itself, by digest or tag. */
  async inspectSnapshot(repository: string, reference: string, signal?: AbortSignal): Promise<SnapshotSeen> {
    const { manifest, digest } = await this.manifestOf(repository, reference, signal);
    const labels = readSnapshotLabels(await this.labelsOf(repository, manifest, signal));
    return { digest, labels, bytes: manifest.layers.reduce((sum, layer) => sum + layer.size, 0) };
  }

  /** Digests of the layers of `host/repository@digest` (or by tag); none when the registry does not have it. */
  async layersOf(reference: string, signal?: AbortSignal): Promise<string[]> {
    const [, repository, tag, named] = /^[^/]+\/([^@:]+)(?::([^@]+))?(?:@(.+))?$/.exec(reference) ?? [];
    if (repository === undefined) return [];
    try {
      const { manifest } = await this.manifestOf(repository, named ?? tag ?? 'latest', signal);
      return manifest.layers.map((layer) => layer.digest);
    } catch (error) {
      if (isCoded(error, 'registry_not_found')) return [];
      throw error;
    }
  }

  /**
   * Proves on a fresh connection that a snapshot is really there: the manifest and config by their hash, its labels this
   * session, generation and revision, every new layer read back and hashed, the known ones there at their size. A push that
   * reported success proves nothing (a registry with a blob cache, collected while it ran, answers from memory).
   */
  async prove({ repository, digest, sessionId, gen, rev, knownLayers, signal }: ProofOf): Promise<{ bytes: number }> {
    const fresh = connectTo(this.connection);
    try {
      const { manifest } = await this.manifestOf(repository, digest, signal, fresh);
      const labels = readSnapshotLabels(await this.labelsOf(repository, manifest, signal, fresh));
      if (labels?.session_id !== sessionId || labels.gen !== gen || labels.rev !== rev) throw mismatch('the snapshot is not the one that was taken', { repository, digest });
      const known = new Set(knownLayers);
      const proofs = manifest.layers.map((layer) => (known.has(layer.digest) ? this.proveSize(repository, layer, signal, fresh) : this.proveContent(repository, layer, signal, fresh)));
      await Promise.all(proofs);
      return { bytes: manifest.layers.reduce((sum, layer) => sum + layer.size, 0) };
    } catch (error) {
      if (isCoded(error, 'registry_not_found')) throw new CodedError('registry_mismatch', 'a part of the snapshot is not in the registry', { cause: error });
      throw error;
    } finally {
      await fresh.destroy();
    }
  }

  private async proveSize(repository: string, layer: Blob, signal: AbortSignal | undefined, dispatcher: Dispatcher): Promise<void> {
    const answer = await this.ask({ method: 'HEAD', path: `/v2/${repository}/blobs/${layer.digest}`, signal }, dispatcher);
    await answer.body.dump();
    if (Number(answer.headers['content-length']) !== layer.size) throw mismatch('a layer has another size', { repository, layer });
  }

  private async proveContent(repository: string, layer: Blob, signal: AbortSignal | undefined, dispatcher: Dispatcher): Promise<void> {
    const answer = await this.ask({ path: `/v2/${repository}/blobs/${layer.digest}`, signal }, dispatcher);
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const chunk of answer.body) {
        hash.update(chunk as Buffer);
        size += (chunk as Buffer).length;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw new CodedError('registry_unreachable', 'the registry broke off a layer', { cause: error, retryable: true });
    }
    if (size !== layer.size || `sha256:${hash.digest('hex')}` !== layer.digest) throw mismatch('a layer is not what was pushed', { repository, layer, size });
  }

  /** All tags of a repository; none when there is no such repository. */
  async listTags(repository: string, signal?: AbortSignal): Promise<string[]> {
    try {
      return readAs(tagsSchema, await readText(await this.ask({ path: `/v2/${repository}/tags/list`, signal }), signal)).tags ?? [];
    } catch (error) {
      if (isCoded(error, 'registry_not_found')) return [];
      throw error;
    }
  }

  /** The names of all repositories, page by page. A repository whose tags are all gone may still be named. */
  async catalogue({ pageSize = PAGE, signal }: { pageSize?: number; signal?: AbortSignal } = {}): Promise<string[]> {
    const all: string[] = [];
    for (;;) {
      const last = all.at(-1);
      const query = last === undefined ? '' : `&last=${encodeURIComponent(last)}`;
      const answer = await this.ask({ path: `/v2/_catalog?n=${pageSize}${query}`, signal });
      const page = readAs(catalogueSchema, await readText(answer, signal)).repositories;
      all.push(...page);
      // A page may be short and not the last: the header says whether there is more.
      if (page.length === 0 || answer.headers['link'] === undefined) return all;
    }
  }

  /** Deletes a manifest and every tag that names it. Not there is success. */
  async deleteManifest(repository: string, digest: string, signal?: AbortSignal): Promise<void> {
    try {
      await (await this.ask({ method: 'DELETE', path: `/v2/${repository}/manifests/${digest}`, signal })).body.dump();
    } catch (error) {
      if (!isCoded(error, 'registry_not_found')) throw error;
    }
  }

  /** Deletes what a tag names. Not there is success. */
  async deleteTag(repository: string, tag: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.deleteManifest(repository, await this.resolve(repository, tag, signal), signal);
    } catch (error) {
      if (!isCoded(error, 'registry_not_found')) throw error;
    }
  }

  /** Deletes everything a repository names. Safe to repeat. */
  async deleteRepository(repository: string, signal?: AbortSignal): Promise<void> {
    for (const tag of await this.listTags(repository, signal)) await this.deleteTag(repository, tag, signal);
  }
}
