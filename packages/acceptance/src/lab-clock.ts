import { eventually } from './eventually';
import type { Lab } from './lab';

const OFFSET = 'vibe:clock-offset-ms';

/** Asks the lab's Redis something and returns its answer as text. */
export async function redis(lab: Lab, ...command: string[]): Promise<string> {
  return lab.execInService('manager', 'vibe-state_redis', 'redis-cli', ...command);
}

/** Moves the lab's clock forward: every decision about time reads Redis' clock plus this offset. Adds up. */
export async function moveClock(lab: Lab, aheadMs: number): Promise<void> {
  await redis(lab, 'INCRBY', OFFSET, String(Math.round(aheadMs)));
}

/** Puts the lab's clock right. Meant for the end of a test, when what it made is deleted. */
export async function resetClock(lab: Lab): Promise<void> {
  await redis(lab, 'DEL', OFFSET);
}

/** An agent looks every 10 s, and rests for 15 s from the first look that finds Redis open. */
const ALL_RESTED_S = 25;

/**
 * Waits until Redis has been there, and open, for so long that every agent calls a session lost at once: one that has just seen
 * Redis away, emptied or rewound rests first (docs/architecture.md, "rested"). An agent that was itself just started is not noticed.
 */
export async function agentsAreRested(lab: Lab): Promise<void> {
  await eventually('Redis has been there, and open, for so long that agents are rested', async () => {
    const uptimeS = Number(/uptime_in_seconds:(\d+)/.exec(await redis(lab, 'INFO', 'server'))?.[1]);
    const nowS = Number.parseInt(await redis(lab, 'TIME'), 10);
    // The epoch's name begins with the time it was opened at. While there is none this is NaN, and nobody is rested.
    const openedAtMs = Number.parseInt(await redis(lab, 'GET', 'vibe:epoch'), 10);
    return uptimeS >= ALL_RESTED_S && nowS - openedAtMs / 1_000 >= ALL_RESTED_S;
  }, { withinMs: 120_000, everyMs: 1_000 });
}

const FORGET = `
for _, job in ipairs(redis.call('ZRANGE', 'bull:reaper:delayed', 0, -1)) do
  if job:find('repeat:' .. ARGV[1] .. ':', 1, true) == 1 then
    redis.call('ZREM', 'bull:reaper:delayed', job)
    redis.call('DEL', 'bull:reaper:' .. job)
  end
end
redis.call('DEL', 'bull:reaper:repeat:' .. ARGV[1])
return redis.call('ZREM', 'bull:reaper:repeat', ARGV[1])`;

/**
 * Makes one of the reaper's ticks come soon: schedules go by the machine's own clock, so it is lost from Redis (as BullMQ 6
 * keeps it). The reaper sets a lost one up anew within 10 s, and its first tick comes at once.
 */
export async function hastenTick(lab: Lab, tick: 'registry-care'): Promise<void> {
  await redis(lab, 'EVAL', FORGET, '0', tick);
}

/** Takes away everything Redis holds, as a lost volume would. */
export async function emptyRedis(lab: Lab): Promise<void> {
  await redis(lab, 'FLUSHALL');
}
