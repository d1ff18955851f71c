import { setMaxListeners } from 'node:events';

/**
 * Does something with each item, at most `limit` at once; results in the order of the items. After a failure or an abort no
 * other item is begun; it is thrown when those under way have ended.
 */
export async function allAtOnce<Item, Result>(items: readonly Item[], options: { limit: number; signal: AbortSignal }, act: (item: Item) => Promise<Result>): Promise<Result[]> {
  // Each request under way listens to it.
  setMaxListeners(0, options.signal);
  const results: Result[] = [];
  let next = 0;
  let failure: { readonly error: unknown } | null = null;
  const takeTurns = async (): Promise<void> => {
    while (next < items.length && !failure) {
      const turn = next;
      next += 1;
      try {
        options.signal.throwIfAborted();
        results[turn] = await act(items[turn] as Item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: options.limit }, takeTurns));
  if (failure) throw (failure as { readonly error: unknown }).error;
  return results;
}
