import type { Logger } from '@vibe/platform';

/**
 * Does something with each item, one after the other. One that fails is logged and never stops the pass; an abort does.
 * Returns how many failed.
 */
export async function oneByOne<Item>(items: Iterable<Item>, options: { signal: AbortSignal; logger: Logger; failure: string; fieldsOf: (item: Item) => Record<string, unknown> }, act: (item: Item) => Promise<void>): Promise<number> {
  let failed = 0;
  for (const item of items) {
    if (options.signal.aborted) break;
    try {
      await act(item);
    } catch (error) {
      failed += 1;
      options.logger.warn(options.failure, { ...options.fieldsOf(item), error });
    }
  }
  return failed;
}
