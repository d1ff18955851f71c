import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type RegistryRequest, RegistryRoutes, refuse } from './registry-routes';
import { RegistryStore } from './registry-store';

export interface FakeRegistryOptions {
  readonly login?: { readonly username: string; readonly password: string };
  /** PEM. With it the registry speaks TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly isDeleteEnabled?: boolean;
}

/** What goes wrong with the calls it matches. */
export type RegistryFault =
  /** Answers this status instead, in the words of something that is no registry. */
  | { readonly status: number }
  /** Answers as the registry itself would that it does not have the thing. */
  | 'unknown'
  /** Names the whole length, sends the first half, cuts the connection. */
  | 'cut'
  /** Takes the call and never answers. */
  | 'silent'
  /** Does its work, and cuts the connection instead of saying so. */
  | 'unheard'
  /** Sends the right length of wrong bytes. */
  | 'corrupt';

export interface FakeRegistry {
  /** As in image names: `127.0.0.1:port`. */
  readonly host: string;
  readonly url: string;
  readonly store: RegistryStore;
  /** `GET /v2/name/manifests/tag`, in order. */
  readonly calls: string[];
  /** Lets calls that match go wrong until `faults` is cleared: `fault(/^GET .*\/blobs\//, 'cut')`. */
  fault(calls: RegExp, fault: RegistryFault): void;
  clearFaults(): void;
  /** Nobody listens any more; open connections are cut. What it stored stays. */
  down(): Promise<void>;
  /** Listens again on the same port. */
  up(): Promise<void>;
  stop(): Promise<void>;
}

const KIND_UNKNOWN: Readonly<Record<string, string>> = { manifests: 'MANIFEST_UNKNOWN', blobs: 'BLOB_UNKNOWN', tags: 'NAME_UNKNOWN' };

/** Writes an answer through a fault that spoils bodies. */
function spoil(response: ServerResponse, fault: 'cut' | 'corrupt'): void {
  const end = response.end.bind(response);
  response.end = ((body?: Buffer) => {
    if (!Buffer.isBuffer(body) || body.length === 0) return end();
    if (fault === 'corrupt') return end(Buffer.from(body.map((byte) => byte ^ 1)));
    return response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
  }) as typeof response.end;
}

/**
 * A registry over HTTP (or HTTPS) with the calls that an Engine's push and pull and our client make, content in memory, and
 * faults on demand. A real Engine can push to it.
 */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const { login, tls, isDeleteEnabled = true } = options;
  const store = new RegistryStore();
  const routes = new RegistryRoutes(store, isDeleteEnabled);
  const calls: string[] = [];
  const faults: { calls: RegExp; fault: RegistryFault }[] = [];
  const wanted = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://registry');
    const method = request.method ?? 'GET';
    const name = `${method} ${url.pathname}${url.search}`;
    calls.push(name);
    const call: RegistryRequest = { method, url, request, response };
    const fault = faults.find((candidate) => candidate.calls.test(name))?.fault;
    if (fault === 'silent') return;
    if (typeof fault === 'object') {
      response.writeHead(fault.status, { 'content-type': 'text/plain' }).end(`${fault.status} from something in between`);
      return;
    }
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    if (wanted !== undefined && request.headers.authorization !== wanted) {
      response.setHeader('www-authenticate', 'Basic realm="fake"');
      return refuse(call, 401, 'UNAUTHORIZED');
    }
    if (fault === 'unknown') return refuse(call, 404, KIND_UNKNOWN[/\/(manifests|blobs|tags)\//.exec(url.pathname)?.[1] ?? ''] ?? 'NAME_UNKNOWN');
    if (fault === 'unheard') response.end = () => response.destroy();
    else if (fault) spoil(response, fault);
    await routes.answer(call);
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  };

  const sockets = new Set<Socket>();
  let server: Server | null = null;
  const listen = async (port: number): Promise<number> => {
    server = tls ? createTlsServer({ key: tls.key, cert: tls.cert }, onRequest) : createServer(onRequest);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const down = async (): Promise<void> => {
    const ending = server;
    server = null;
    if (!ending) return;
    const closed = once(ending, 'close');
    ending.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  const port = await listen(0);
  return {
    host: `127.0.0.1:${port}`,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    store,
    calls,
    fault: (matching, fault) => void faults.unshift({ calls: matching, fault }),
    clearFaults: () => void faults.splice(0),
    down,
    up: async () => void (server ?? (await listen(port))),
    stop: down,
  };
}
