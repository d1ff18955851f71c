import { type ImageReport, digestSchema, readSessionLabels, repositoryOf, sessionLabel, snapshotLabel } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { z } from 'zod';
import { type CallOptions, type EngineConnection, isEngineStatus, onStatus, withSignal } from './engine-connection';
import { readTransfer } from './progress-stream';

/** How long one commit, push or pull may take, in ms: as long as a hibernation. */
const TRANSFER_LIMIT_MS = 15 * 60_000;

export interface InspectedImage {
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly layerCount: number;
  /** True for an image with `VOLUME`: what a session wrote there would not be in its snapshot. */
  readonly hasVolumes: boolean;
}

const labelsSchema = z.record(z.string(), z.string()).nullish();
const inspectedSchema = z.object({
  Id: z.string(),
  Config: z.object({ Labels: labelsSchema, Volumes: z.record(z.string(), z.unknown()).nullish() }).nullish(),
  RootFS: z.object({ Layers: z.array(z.string()).nullish() }).nullish(),
});
const listedSchema = z.object({
  Id: z.string(),
  Created: z.number(),
  Labels: labelsSchema,
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
});

export interface CommitOptions extends CallOptions {
  /** With the registry in front: `registry:5000/vibe-session-{id}`. */
  readonly repository: string;
  readonly tag: string;
  /** Added to the labels the container has, and stronger than they. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Writes a container's writable layer as an image. The Engine is told not to pause and unpause it: who calls has frozen it,
 * and it stays so. Works on a container that ended as well. An aborted commit may still be finished by the Engine.
 */
export async function commitContainer(connection: EngineConnection, containerId: string, options: CommitOptions): Promise<{ imageId: string }> {
  const { repository, tag, labels, signal } = options;
  const made = await connection.call(
    `commit ${containerId}`,
    // dockerode would otherwise send the query as the new image's configuration.
    (abortSignal) =>
      connection.docker.getContainer(containerId).commit({
        _query: { container: containerId, repo: repository, tag, pause: false },
        _body: { Labels: labels },
        abortSignal,
      }) as Promise<{ Id?: unknown }>,
    { signal, limitMs: TRANSFER_LIMIT_MS },
  );
  if (typeof made.Id !== 'string') throw new CodedError('engine_error', `the Engine committed ${containerId} without naming an image`);
  return { imageId: made.Id };
}

/**
 * Pushes one tag. Resolves when the stream ended without an error and named a digest; whether the registry really has it is
 * for a proof to say. Repeatable.
 * @throws transfer_failed (retryable)
 */
export async function pushImage(
  connection: EngineConnection,
  image: CallOptions & { readonly repository: string; readonly tag: string },
): Promise<{ digest: string }> {
  const { repository, tag, signal } = image;
  const what = `push ${repository}:${tag}`;
  const aux = await connection.call(
    what,
    async (abortSignal) => {
      const stream = await connection.docker.getImage(repository).push({ tag, authconfig: connection.registryAuth, abortSignal });
      return readTransfer(what, stream as AsyncIterable<Buffer>);
    },
    { signal, limitMs: TRANSFER_LIMIT_MS },
  );
  const digest = digestSchema.safeParse(aux?.Digest);
  if (!digest.success) throw new CodedError('transfer_failed', `the Engine ended to ${what} without naming a digest`, { retryable: true });
  return { digest: digest.data };
}

/** Pulls an image by tag or digest. Repeatable: what is there is not fetched again. @throws transfer_failed (retryable) */
export async function pullImage(connection: EngineConnection, reference: string, options: CallOptions = {}): Promise<void> {
  const [, fromImage = reference, digest, tag = 'latest'] = /^(.+?)(?:@(sha256:[0-9a-f]{64})|:([\w.-]{1,128}))?$/.exec(reference) ?? [];
  const what = `pull ${reference}`;
  await connection.call(
    what,
    async (abortSignal) => {
      const stream = await connection.docker.createImage(connection.registryAuth, { fromImage, tag: digest ?? tag, abortSignal });
      return readTransfer(what, stream as AsyncIterable<Buffer>);
    },
    { signal: options.signal, limitMs: TRANSFER_LIMIT_MS },
  );
}

/** An image by any reference or id; null when this node has none. */
export async function inspectImage(connection: EngineConnection, reference: string, options?: CallOptions): Promise<InspectedImage | null> {
  const said = await connection.call(`show the image ${reference}`, () => connection.docker.getImage(reference).inspect() as Promise<unknown>, options).catch(onStatus(404, null));
  if (said === null) return null;
  const { Id, Config, RootFS } = inspectedSchema.parse(said);
  return {
    imageId: Id,
    labels: Config?.Labels ?? {},
    layerCount: RootFS?.Layers?.length ?? 0,
    hasVolumes: Object.keys(Config?.Volumes ?? {}).length > 0,
  };
}

/** Gives an image one more name. Repeatable. */
export async function tagImage(connection: EngineConnection, reference: string, name: { readonly repository: string; readonly tag: string }, options?: CallOptions): Promise<void> {
  await connection.call(`tag ${reference}`, (abortSignal) => connection.docker.getImage(reference).tag({ repo: name.repository, tag: name.tag, abortSignal }) as Promise<unknown>, options);
}

/**
 * Takes one name off an image; the image goes with its last one. Repeatable.
 * `in_use`: a container (running or ended) was made from it, or another image stands on it.
 */
export function removeImage(connection: EngineConnection, reference: string, options?: CallOptions): Promise<'removed' | 'absent' | 'in_use'> {
  return connection
    .call(`remove the image ${reference}`, async (abortSignal) => {
      await connection.docker.getImage(reference).remove({ abortSignal });
      return 'removed' as const;
    }, options)
    .catch((error: unknown) => {
      if (isEngineStatus(error, 409)) return 'in_use' as const;
      return onStatus(404, 'absent' as const)(error);
    });
}

/** The snapshots in this node's image store. A cache: never a witness of data. */
export async function listSnapshots(connection: EngineConnection, options: CallOptions & { readonly sessionId?: string } = {}): Promise<ImageReport[]> {
  const label = [snapshotLabel.taken, options.sessionId === undefined ? sessionLabel.session : `${sessionLabel.session}=${options.sessionId}`];
  const said = await connection.call('list the images', (abortSignal) => connection.docker.listImages(withSignal(abortSignal, { filters: { label } })) as Promise<unknown>, options);
  const now = Date.now();
  return z
    .array(listedSchema)
    .parse(said)
    .flatMap((image) => {
      const session = readSessionLabels(image.Labels ?? {});
      if (!session) return [];
      const isOurs = (reference: string) => reference.includes(`/${repositoryOf(session.session_id)}`);
      const digests = (image.RepoDigests ?? []).filter(isOurs);
      return [
        {
          image_id: image.Id,
          session_id: session.session_id,
          gen: session.gen,
          digest: digestSchema.safeParse(digests[0]?.split('@')[1]).data ?? null,
          refs: [...(image.RepoTags ?? []).filter(isOurs), ...digests],
          age_ms: Math.max(0, now - image.Created * 1000),
        },
      ];
    });
}

/**
 * Takes all names off a snapshot, so that it goes, with every layer that no other image stands on. Repeatable.
 * @throws image_in_use (retryable): a container is still made from it
 */
export async function removeSnapshot(connection: EngineConnection, image: Pick<ImageReport, 'image_id' | 'refs'>, options?: CallOptions): Promise<void> {
  for (const reference of image.refs.length > 0 ? image.refs : [image.image_id]) {
    if ((await removeImage(connection, reference, options)) === 'in_use') {
      throw new CodedError('image_in_use', `the image ${reference} is still used on this node`, { retryable: true });
    }
  }
}
