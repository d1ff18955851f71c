import type { SessionEvent } from '@vibe/contracts';
import { createDoorkeeper, createTokens } from '@vibe/identity';
import { closeRedis, connectRedis, runService, whenReady } from '@vibe/platform';
import { Epoch, JobQueues, NodeReports, SessionStore, subscribeToSessions } from '@vibe/session-store';
import type { ApiParts } from './api-parts';
import { createJobRequests } from './job-requests';
import { createSessionApi } from './session-api';
import { settingsSchema } from './settings';

void runService({
  service: 'session-api',
  schema: settingsSchema,
  start: async ({ settings, logger, metrics, lifecycle }) => {
    const redis = connectRedis(settings.REDIS_URL, { purpose: 'requests', name: 'session-api', logger });
    lifecycle.onStop('redis', 2_000, () => closeRedis(redis));
    const subscription = connectRedis(settings.REDIS_URL, { purpose: 'workers', name: 'session-api-events', logger });
    lifecycle.onStop('subscription', 1_000, () => closeRedis(subscription));
    const queues = new JobQueues(redis);
    lifecycle.onStop('queues', 1_000, () => queues.close());

    const epoch = new Epoch(redis);
    const parts: ApiParts = {
      settings,
      logger,
      store: new SessionStore(redis, epoch),
      epoch,
      reports: new NodeReports(redis),
      jobs: createJobRequests({ queues, logger }),
    };
    const api = createSessionApi({
      parts,
      registry: metrics,
      doorkeeper: createDoorkeeper({ tokens: createTokens({ key: settings.AUTH_KEY_FILE }), publicHost: settings.VIBE_PUBLIC_HOST }),
      stopping: lifecycle.stopping,
      isRedisThere: async () => (await redis.ping()) === 'PONG',
    });
    // Waits for Redis, however long; requests are answered 503 meanwhile.
    const subscribe = async (): Promise<void> => {
      await whenReady(subscription);
      const onEvent = (event: SessionEvent): void => {
        api.onEvent(event);
        parts.epoch.hear(event).catch((error: unknown) => logger.warn('a change could not be held against the epoch', { error }));
      };
      await subscribeToSessions(subscription, onEvent, api.onGap);
    };
    subscribe().catch((error: unknown) => {
      if (!lifecycle.stopping.aborted) throw error;
    });
    lifecycle.onStop('http', 5_000, () => api.http.close());
    const port = await api.http.listen(settings.PORT);
    logger.info('listening', { port });
  },
});
