import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Does something now and again after every pause of `everyMs`, never twice at once, until `stopping` aborts. What one round
 * throws is handed over and ends only that round.
 */
export function repeatEvery(everyMs: number, stopping: AbortSignal, round: () => Promise<unknown>, onError: (error: unknown) => void): void {
  const loop = async () => {
    while (!stopping.aborted) {
      await round().catch(onError);
      await sleep(everyMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  };
  void loop();
}
