import { SESSION_CHANNEL, type SessionEvent, sessionEventSchema } from '@vibe/contracts';
import type { Redis } from 'ioredis';

/**
 * Calls `onEvent` for every published change. Takes a connection of its own (a subscribed one can do nothing else).
 * Events can be lost while Redis is away: `onGap` is called after every reconnect, so that the caller looks anew.
 */
export async function subscribeToSessions(redis: Redis, onEvent: (event: SessionEvent) => void, onGap: () => void): Promise<void> {
  redis.on('message', (_channel: string, text: string) => {
    const event = sessionEventSchema.safeParse(JSON.parse(text));
    if (event.success) onEvent(event.data);
  });
  await redis.subscribe(SESSION_CHANNEL);
  redis.on('ready', onGap);
}
