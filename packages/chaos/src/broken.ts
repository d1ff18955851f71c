/** What a broken promise counts as in the published figure. */
export const harms = ['lost', 'stuck', 'orphans', 'broken'] as const;
export type Harm = (typeof harms)[number];

/** A promise that did not hold: the end of a history. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
  constructor(
    readonly harm: Harm,
    message: string,
  ) {
    super(message);
  }
}
