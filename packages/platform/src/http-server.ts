import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Express, RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { CodedError } from './errors';
import { jsonBodies } from './http-bodies';
import type { StatusMap } from './http-errors';
import { errorMiddleware } from './http-errors';
import { probes } from './http-probes';
import type { ReadinessChecks } from './http-probes';
import { requestRecord } from './http-record';
import type { Logger } from './logging';

export interface HttpServerOptions {
  readonly logger: Logger;
  readonly registry: Registry;
  /** Aborted when the service begins to stop: from then on `/ready` is 503. */
  readonly stopping: AbortSignal;
  /** What must answer for this service to be ready, by name. */
  readonly checks: ReadinessChecks;
  readonly statusOf: StatusMap;
  /** Adds the service's own routes. Paths are case sensitive and strict about a slash at the end. */
  readonly routes: (app: Express) => void;
  /** How bodies are read; JSON only unless said otherwise. Empty: routes read their own. */
  readonly bodies?: RequestHandler[];
}

export interface HttpServer {
  readonly server: Server;
  /** Resolves with the port once it listens (port 0: any free one); rejects when the port is taken. */
  listen(port: number): Promise<number>;
  /** Takes nothing new, lets requests under way end for the time given, then cuts them. Repeatable. */
  close(graceMs?: number): Promise<void>;
}

/** Traefik keeps idle connections to us for 90 s; whoever closes first must not be us, or a request meets a closed door. */
const KEEP_ALIVE_MS = 95_000;
const HEADERS_LIMIT_MS = 10_000;
const REQUEST_LIMIT_MS = 30_000;

/** Headers that harm no answer and that a page may sharpen. */
const safeHeaders: RequestHandler = (_request, response, next) => {
  response.set({
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  });
  next();
};

/** An HTTP server with the doors that every service has: probes, metrics, records, bodies, errors. Listens only when told to. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.set('trust proxy', false);
  app.set('case sensitive routing', true);
  app.set('strict routing', true);

  app.use(requestRecord(options));
  app.use(safeHeaders);
  app.use(probes(options));
  for (const body of options.bodies ?? jsonBodies()) app.use(body);
  options.routes(app);
  app.use((_request, _response, next) => next(new CodedError('not_found', 'there is nothing here')));
  app.use(errorMiddleware(options));

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_LIMIT_MS, requestTimeout: REQUEST_LIMIT_MS }, (request, response) => {
    app(request, response);
  });
  return { server, listen: (port) => listen(server, port), close: (graceMs) => close(server, graceMs) };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function close(server: Server, graceMs = 3_000): Promise<void> {
  if (!server.listening) return;
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  try {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  } finally {
    clearTimeout(cut);
  }
}
