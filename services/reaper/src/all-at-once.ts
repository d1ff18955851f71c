/** Does something with each item, at most `limit` at once; results in the order of the items. The first failure or an abort ends it. */
export async function allAtOnce<Item, Result>(items: readonly Item[], options: { limit: number; signal: AbortSignal }, act: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const takeTurns = async (): Promise<void> => {
    while (next < items.length) {
      options.signal.throwIfAborted();
      const turn = next;
      next += 1;
      results[turn] = await act(items[turn] as Item);
    }
  };
  await Promise.all(Array.from({ length: options.limit }, takeTurns));
  return results;
}
