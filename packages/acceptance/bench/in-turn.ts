import type { Measured } from './figures';

/** What one round compares; each of the two measures once and returns ms. */
export interface Round {
  raw(): Promise<number>;
  ours(): Promise<number>;
  /** Takes away what the round made. */
  end(): Promise<void>;
}

export interface InTurnOptions {
  readonly rounds: number;
  readonly say: (progress: string) => void;
  readonly prepare: () => Promise<Round>;
}

/** Measures both in every round, the one that begins changing from round to round. The first round warms up and is not counted. */
export async function inTurn({ rounds, say, prepare }: InTurnOptions): Promise<Measured> {
  const rawMs: number[] = [];
  const oursMs: number[] = [];
  for (let number = 0; number <= rounds; number++) {
    const round = await prepare();
    const took = { raw: 0, ours: 0 };
    try {
      for (const kind of number % 2 === 0 ? (['raw', 'ours'] as const) : (['ours', 'raw'] as const)) took[kind] = await round[kind]();
    } finally {
      await round.end();
    }
    say(`${number === 0 ? 'warm-up' : `round ${number} of ${rounds}`}: raw ${Math.round(took.raw)} ms, ours ${Math.round(took.ours)} ms`);
    if (number === 0) continue;
    rawMs.push(took.raw);
    oursMs.push(took.ours);
  }
  return { rawMs, oursMs };
}
