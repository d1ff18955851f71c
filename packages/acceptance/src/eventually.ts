import { setTimeout as pause } from 'node:timers/promises';

export interface EventuallyOptions {
  readonly withinMs: number;
  /** Between two looks. */
  readonly everyMs?: number;
}

/**
 * Looks again until `look` answers something other than undefined, null or false, and returns that: for facts that no
 * event tells (an image on a node's disk, a tag in the registry). A look that throws counts as "not yet".
 * Throws when the time is over, naming the fact and what the last look said.
 */
export async function eventually<T>(fact: string, look: () => Promise<T | undefined | null | false>, options: EventuallyOptions): Promise<T> {
  const end = performance.now() + options.withinMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) throw new Error(`not seen within ${options.withinMs / 1000} s: ${fact}`, { cause: last });
    await pause(options.everyMs ?? 300);
  }
}
