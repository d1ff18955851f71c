import express from 'express';
import type { Request, Router } from 'express';
import type { Registry } from 'prom-client';

export type ReadinessChecks = Readonly<Record<string, () => Promise<boolean>>>;

const CHECK_LIMIT_MS = 1_000;

/** False too when the check fails or does not answer in time. */
async function passes(check: () => Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), CHECK_LIMIT_MS);
  });
  try {
    return await Promise.race([check(), limit]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** Traefik adds this to every request it forwards, and a client cannot take it away. */
const cameThroughTheEdge = (request: Request): boolean => request.headers['x-forwarded-for'] !== undefined || request.headers['x-forwarded-host'] !== undefined;

/**
 * `/live` asks no dependency; `/ready` is 503 from the moment a stop begins; `/metrics` is for Prometheus. They are doors of
 * the house, not of the street: a request that came through the edge does not see them.
 */
export function probes(options: { registry: Registry; stopping: AbortSignal; checks: ReadinessChecks }): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  router.use((request, _response, next) => next(cameThroughTheEdge(request) ? 'router' : undefined));
  router.get('/live', (_request, response) => {
    response.json({ is_live: true });
  });
  router.get('/ready', async (_request, response) => {
    const names = Object.keys(options.checks);
    const results = await Promise.all(names.map(async (name) => [name, await passes(options.checks[name] as () => Promise<boolean>)] as const));
    const isReady = !options.stopping.aborted && results.every(([, ok]) => ok);
    response.status(isReady ? 200 : 503).json({ is_ready: isReady, is_stopping: options.stopping.aborted, checks: Object.fromEntries(results) });
  });
  router.get('/metrics', async (_request, response) => {
    response.type(options.registry.contentType).send(await options.registry.metrics());
  });
  return router;
}
