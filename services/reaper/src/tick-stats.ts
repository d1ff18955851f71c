/** What one tick did, for its closing record: how many of what. */
export type TickStats = Readonly<Record<string, number>>;
