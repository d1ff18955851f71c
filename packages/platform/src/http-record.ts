import { performance } from 'node:perf_hooks';
import type { RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { Histogram } from 'prom-client';
import type { Logger } from './logging';

/**
 * One closing record a request: a log line and a histogram by route class and status. The route class is the template that
 * matched (`/api/sessions/:id`), or what the handler wrote into `response.locals.routeClass`: a closed set either way.
 */
export function requestRecord(options: { logger: Logger; registry: Registry }): RequestHandler {
  const seconds = new Histogram({
    name: 'vibe_http_request_seconds',
    help: 'Time from a request to the end of its answer',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
    registers: [options.registry],
  });
  return (request, response, next) => {
    const startedAt = performance.now();
    // What the person asked for, before a router cuts its own prefix off.
    const path = request.path;
    response.once('close', () => {
      const ms = performance.now() - startedAt;
      const route = routeClassOf(request, response.locals);
      const method = knownMethods.has(request.method) ? request.method : 'other';
      seconds.observe({ route, method, status: String(response.statusCode) }, ms / 1000);
      const isProbe = route === '/live' || route === '/ready' || route === '/metrics';
      options.logger[isProbe ? 'debug' : 'info']('request', {
        method,
        path,
        status: response.statusCode,
        ms: Math.round(ms),
        ...(typeof response.locals.errorCode === 'string' ? { error_code: response.locals.errorCode } : {}),
        ...(response.writableFinished ? {} : { is_aborted: true }),
        ...(response.locals.logFields as object | undefined),
      });
    });
    next();
  };
}

const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function routeClassOf(request: { baseUrl: string; route?: unknown }, locals: Record<string, unknown>): string {
  if (typeof locals.routeClass === 'string') return locals.routeClass;
  const template = (request.route as { path?: unknown } | undefined)?.path;
  return typeof template === 'string' ? `${request.baseUrl}${template}` : 'unmatched';
}
