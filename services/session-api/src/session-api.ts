import { type SessionEvent, errorStatus } from '@vibe/contracts';
import type { Doorkeeper } from '@vibe/identity';
import { type HttpServer, type Registry, createHttpServer } from '@vibe/platform';
import type { ApiParts } from './api-parts';
import { mountApi } from './api-routes';
import { LiveEvents } from './live-events';
import { describeApi } from './openapi';
import { sessionHandlers } from './session-routes';
import { viewNow, viewsOf } from './session-view';

const API_VERSION = '1.0.0';

/** The API without its connections: what a test starts two of. */
export interface SessionApi {
  readonly http: HttpServer;
  readonly live: LiveEvents;
  /** For the one subscription of the process. */
  readonly onEvent: (event: SessionEvent) => void;
  readonly onGap: () => void;
}

/** @param options.isRedisThere asked by `/ready` */
export function createSessionApi(options: { parts: ApiParts; doorkeeper: Doorkeeper; registry: Registry; stopping: AbortSignal; isRedisThere: () => Promise<boolean> }): SessionApi {
  const { parts, doorkeeper, registry, stopping } = options;
  const { store, logger } = parts;
  const live = new LiveEvents({
    logger,
    registry,
    isBelievable: () => parts.epoch.isOpen(),
    sourceOf: (userId) => ({
      list: async () => viewsOf(parts, await store.listByUser(userId)),
      one: async (id) => {
        const record = await store.get(id);
        return record?.user_id === userId ? viewNow(parts, record) : null;
      },
    }),
  });
  const handlers = sessionHandlers({ parts, live, description: describeApi(API_VERSION) });
  const http = createHttpServer({
    logger,
    registry,
    stopping,
    checks: { redis: options.isRedisThere },
    statusOf: errorStatus,
    routes: (app) => mountApi(app, { handlers, doorkeeper, parts }),
  });
  stopping.addEventListener('abort', () => live.close());
  return { http, live, onEvent: (event) => live.take(event), onGap: () => live.resyncAll() };
}
