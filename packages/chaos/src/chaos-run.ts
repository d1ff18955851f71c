import fc from 'fast-check';
import { BrokenPromise, type Harm } from './broken';
import type { Scene } from './commands/race-commands';
import { histories } from './histories';
import { runHistory } from './run-history';
import type { Weakening } from './weakenings';
import type { Ground } from './world';

/** How long a failing history is made shorter, in ms: what is left then is printed. */
const SHRINK_LIMIT_MS = 120_000;

/** A history that broke a promise, as short as it could be made. */
export interface Failure {
  readonly harm: Harm;
  readonly message: string;
  /** With these two the same history comes again: `chaos --chunk-seed … --path …`. */
  readonly seed: number;
  readonly path: string;
  /** What happened, a line a command. */
  readonly history: readonly string[];
}

export interface RunOptions {
  readonly seed: number;
  readonly cycles: number;
  /** Runs this one history alone, as it is. */
  readonly path?: string;
  readonly weaken?: Weakening;
  /** Other histories than everything there is. */
  readonly of?: fc.Arbitrary<Scene>;
  /** Told after every cycle, with the faults it met. */
  readonly onCycle?: (faults: ReadonlyMap<string, number>) => void;
  readonly isShrunk?: boolean;
}

const harmOf = (error: unknown): Harm => (error instanceof BrokenPromise ? error.harm : 'broken');

/** Runs random histories of one seed until all are done or one breaks a promise, which is then made as short as it goes. */
export async function runChaos(ground: Ground, options: RunOptions): Promise<Failure | null> {
  const { seed, cycles, path, weaken, of = histories(), onCycle, isShrunk = path === undefined } = options;
  const property = fc.asyncProperty(of, (history) => runHistory(ground, history, { ...(weaken ? { weaken } : {}), ...(onCycle ? { onFaults: onCycle } : {}) }));
  const found = await fc.check(property, { seed, numRuns: cycles, endOnFailure: true, ...(path === undefined ? {} : { path }) });
  if (!found.failed) return null;
  const quiet = fc.asyncProperty(of, (history) => runHistory(ground, history, weaken ? { weaken } : {}));
  const again = isShrunk ? await fc.check(quiet, { seed, numRuns: 1, path: found.counterexamplePath ?? '', interruptAfterTimeLimit: SHRINK_LIMIT_MS }) : found;
  const shortest = again.failed && again.counterexample ? again : found;
  const [history] = shortest.counterexample ?? [];
  return {
    harm: harmOf(shortest.errorInstance),
    message: String(shortest.errorInstance),
    seed,
    path: shortest.counterexamplePath ?? '',
    // fast-check's list of commands spells out those that were run, and ends with a comment of its own.
    history: [...(history ?? [])].map((command) => command.toString()),
  };
}
