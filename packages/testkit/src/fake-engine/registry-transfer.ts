import { Agent, type Dispatcher, request } from 'undici';
import { digestOf } from '../fake-registry/registry-store';
import { type Layer, unpackLayer } from './layers';

/** A registry as a pusher needs to know it. */
export interface RegistryAccess {
  readonly url: string;
  readonly ca?: string;
  readonly login?: { readonly username: string; readonly password: string };
}

/** The part of an image's config that a container is made from. */
export interface ImageConfig {
  readonly Labels: Readonly<Record<string, string>>;
  readonly Env: readonly string[];
}

export interface TransferredImage {
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** Why a registry refused; its words are what an Engine would tell. */
export class TransferRefused extends Error {
  override readonly name = 'TransferRefused';
}

class Transfer {
  private readonly dispatcher: Agent;

  constructor(
    private readonly access: RegistryAccess,
    private readonly repository: string,
  ) {
    this.dispatcher = new Agent(access.ca === undefined ? {} : { connect: { ca: access.ca } });
  }

  close(): Promise<void> {
    return this.dispatcher.destroy();
  }

  async ask(method: Dispatcher.HttpMethod, path: string, options: { body?: Buffer; headers?: Record<string, string>; expect: readonly number[] }) {
    const { login, url } = this.access;
    const authorization = login ? { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}` } : {};
    const target = path.startsWith('/') ? `${url}${path}` : path;
    const answer = await request(target, { method, dispatcher: this.dispatcher, headers: { ...authorization, ...options.headers }, body: options.body ?? null });
    const body = Buffer.from(await answer.body.arrayBuffer());
    if (!options.expect.includes(answer.statusCode)) throw new TransferRefused(`${method} ${path}: ${answer.statusCode} ${body.toString().slice(0, 200)}`);
    return { status: answer.statusCode, headers: answer.headers, body };
  }

  async putBlob(blob: Buffer, digest: string): Promise<void> {
    const there = await this.ask('HEAD', `/v2/${this.repository}/blobs/${digest}`, { expect: [200, 404] });
    if (there.status === 200) return;
    const opened = await this.ask('POST', `/v2/${this.repository}/blobs/uploads/`, { expect: [202] });
    const location = String(opened.headers.location);
    await this.ask('PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`, {
      body: blob,
      headers: { 'content-type': 'application/octet-stream' },
      expect: [201],
    });
  }

  async getBlob(digest: string): Promise<Buffer> {
    const { body } = await this.ask('GET', `/v2/${this.repository}/blobs/${digest}`, { expect: [200] });
    if (digestOf(body) !== digest) throw new TransferRefused(`filesystem layer verification failed for digest ${digest}`);
    return body;
  }
}

const configOf = ({ config, layers }: TransferredImage): Buffer =>
  Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) }, history: [] }));

/** The id of an image: the hash of its config. */
export const imageIdOf = (image: TransferredImage): string => digestOf(configOf(image));

/** The manifest under which an image travels. */
export function manifestOf(image: TransferredImage): { body: Buffer; digest: string } {
  const config = configOf(image);
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: config.length, digest: digestOf(config) },
      layers: image.layers.map((layer) => ({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: layer.blob.length, digest: layer.digest })),
    }),
  );
  return { body, digest: digestOf(body) };
}

/** Pushes an image as an Engine does: blobs that are missing, then the manifest under its tag. Returns the manifest's digest and size. */
export async function uploadImage(access: RegistryAccess, target: { repository: string; tag: string }, image: TransferredImage): Promise<{ digest: string; size: number }> {
  const transfer = new Transfer(access, target.repository);
  try {
    for (const layer of image.layers) await transfer.putBlob(layer.blob, layer.digest);
    const config = configOf(image);
    await transfer.putBlob(config, digestOf(config));
    const manifest = manifestOf(image);
    await transfer.ask('PUT', `/v2/${target.repository}/manifests/${target.tag}`, { body: manifest.body, headers: { 'content-type': MANIFEST }, expect: [201] });
    return { digest: manifest.digest, size: manifest.body.length };
  } finally {
    await transfer.close();
  }
}

/** Pulls an image by tag or digest, every hash compared as an Engine does. */
export async function downloadImage(access: RegistryAccess, source: { repository: string; reference: string }): Promise<TransferredImage & { digest: string }> {
  const transfer = new Transfer(access, source.repository);
  try {
    const { body } = await transfer.ask('GET', `/v2/${source.repository}/manifests/${source.reference}`, { headers: { accept: MANIFEST }, expect: [200] });
    const digest = digestOf(body);
    if (source.reference.startsWith('sha256:') && digest !== source.reference) throw new TransferRefused(`manifest verification failed for digest ${source.reference}`);
    const manifest = JSON.parse(body.toString()) as { config: { digest: string }; layers: { digest: string }[] };
    const { config } = JSON.parse((await transfer.getBlob(manifest.config.digest)).toString()) as { config?: { Labels?: Record<string, string>; Env?: string[] } };
    const layers: Layer[] = [];
    for (const layer of manifest.layers) layers.push(await unpackLayer(await transfer.getBlob(layer.digest)));
    return { digest, layers, config: { Labels: config?.Labels ?? {}, Env: config?.Env ?? [] } };
  } finally {
    await transfer.close();
  }
}
