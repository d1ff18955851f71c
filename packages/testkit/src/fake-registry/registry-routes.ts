import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RegistryStore, digestOf } from './registry-store';

export interface RegistryRequest {
  readonly method: string;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const NAME = '([a-z0-9]+(?:[._/-][a-z0-9]+)*)';

/** An error as distribution writes it. */
export function refuse({ method, response }: RegistryRequest, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(method === 'HEAD' ? undefined : JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }));
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send({ method, response }: RegistryRequest, headers: Record<string, string>, body: Buffer): void {
  response.writeHead(200, { ...headers, 'content-length': body.length });
  response.end(method === 'HEAD' ? undefined : body);
}

/** The API of distribution 2.8, as far as Engines and we use it. A call that it does not know is answered 501. */
export class RegistryRoutes {
  private readonly uploads = new Map<string, Buffer>();

  constructor(
    private readonly store: RegistryStore,
    private readonly isDeleteEnabled: boolean,
  ) {}

  async answer(call: RegistryRequest): Promise<void> {
    const { pathname } = call.url;
    if (this.store.isReadOnly && call.method !== 'GET' && call.method !== 'HEAD') return refuse(call, 405, 'UNSUPPORTED');
    const match = (pattern: string) => new RegExp(`^/v2/${pattern}$`).exec(pathname);
    const blob = match(`${NAME}/blobs/(sha256:[0-9a-f]{64})`);
    const upload = match(`${NAME}/blobs/uploads/(.*)`);
    const manifest = match(`${NAME}/manifests/([\\w:.-]+)`);
    const tags = match(`${NAME}/tags/list`);
    if (pathname === '/v2/') return send(call, { 'content-type': 'application/json' }, Buffer.from('{}'));
    if (pathname === '/v2/_catalog' && call.method === 'GET') return this.catalogue(call);
    if (tags && call.method === 'GET') return this.tags(call, tags[1] ?? '');
    if (upload) return this.upload(call, upload[1] ?? '', upload[2] ?? '');
    if (blob) return this.blob(call, blob[1] ?? '', blob[2] ?? '');
    if (manifest) return this.manifest(call, manifest[1] ?? '', manifest[2] ?? '');
    refuse(call, 501, 'UNKNOWN_TO_THE_FAKE');
  }

  private catalogue(call: RegistryRequest): void {
    const size = Number(call.url.searchParams.get('n') ?? '100');
    const last = call.url.searchParams.get('last') ?? '';
    const left = this.store.names().filter((name) => name > last);
    const page = left.slice(0, size);
    const more: Record<string, string> = left.length > size ? { link: `</v2/_catalog?last=${page.at(-1)}&n=${size}>; rel="next"` } : {};
    send(call, { 'content-type': 'application/json', ...more }, Buffer.from(JSON.stringify({ repositories: page })));
  }

  private tags(call: RegistryRequest, name: string): void {
    const repository = this.store.repository(name);
    if (!repository) return refuse(call, 404, 'NAME_UNKNOWN');
    send(call, { 'content-type': 'application/json' }, Buffer.from(JSON.stringify({ name, tags: [...repository.tags.keys()].sort() })));
  }

  private blob(call: RegistryRequest, name: string, digest: string): void {
    if (call.method !== 'GET' && call.method !== 'HEAD') return refuse(call, 501, 'UNKNOWN_TO_THE_FAKE');
    const content = this.store.blob(name, digest);
    if (!content) return refuse(call, 404, 'BLOB_UNKNOWN');
    send(call, { 'content-type': 'application/octet-stream', 'docker-content-digest': digest }, content);
  }

  private async manifest(call: RegistryRequest, name: string, reference: string): Promise<void> {
    const { method, request, response } = call;
    if (method === 'PUT') {
      const digest = this.store.putManifest(name, reference, await readBody(request), request.headers['content-type'] ?? '');
      if (digest === null) return refuse(call, 400, 'MANIFEST_BLOB_UNKNOWN');
      response.writeHead(201, { 'docker-content-digest': digest, location: `/v2/${name}/manifests/${digest}` });
      response.end();
      return;
    }
    if (method === 'DELETE') {
      if (!this.isDeleteEnabled || !reference.startsWith('sha256:')) return refuse(call, 405, 'UNSUPPORTED');
      if (!this.store.deleteManifest(name, reference)) return refuse(call, 404, 'MANIFEST_UNKNOWN');
      response.writeHead(202);
      response.end();
      return;
    }
    const found = this.store.manifest(name, reference);
    if (!found) return refuse(call, 404, 'MANIFEST_UNKNOWN');
    // The real one would turn it into the old schema 1, whose digest is another: never what we mean.
    if (!(request.headers.accept ?? '').includes(found.type)) return refuse(call, 501, 'ACCEPT_DOES_NOT_NAME_THE_TYPE');
    send(call, { 'content-type': found.type, 'docker-content-digest': found.digest }, found.body);
  }

  private async upload({ method, url, request, response, ...rest }: RegistryRequest, name: string, id: string): Promise<void> {
    const call = { method, url, request, response, ...rest };
    const location = (upload: string) => ({ location: `/v2/${name}/blobs/uploads/${upload}`, 'docker-upload-uuid': upload });
    if (method === 'POST' && id === '') {
      const mount = url.searchParams.get('mount') ?? '';
      const content = this.store.blob(url.searchParams.get('from') ?? '', mount);
      const upload = randomUUID();
      if (content) this.store.repositoryToWrite(name).blobs.add(mount);
      else this.uploads.set(upload, Buffer.alloc(0));
      response.writeHead(content ? 201 : 202, content ? { location: `/v2/${name}/blobs/${mount}`, 'docker-content-digest': mount } : { ...location(upload), range: '0-0' });
      response.end();
      return;
    }
    const before = this.uploads.get(id);
    if (!before) return refuse(call, 404, 'BLOB_UPLOAD_UNKNOWN');
    const now = Buffer.concat([before, await readBody(request)]);
    if (method === 'PATCH') {
      this.uploads.set(id, now);
      response.writeHead(202, { ...location(id), range: `0-${Math.max(0, now.length - 1)}` });
    } else if (method === 'PUT') {
      this.uploads.delete(id);
      if (digestOf(now) !== url.searchParams.get('digest')) return refuse(call, 400, 'DIGEST_INVALID');
      const digest = this.store.putBlob(name, now);
      response.writeHead(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
    } else if (method === 'DELETE') {
      this.uploads.delete(id);
      response.writeHead(204);
    } else {
      return refuse(call, 501, 'UNKNOWN_TO_THE_FAKE');
    }
    response.end();
  }
}
