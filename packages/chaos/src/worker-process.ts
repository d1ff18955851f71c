import { type Failure, runChaos } from './chaos-run';
import type { Chunk } from './chunks';
import { type Defence, weakenings } from './weakenings';
import { Ground } from './world';

/** What a worker process is told, and what it says. */
export type ToWorker = Chunk & { readonly path?: string; readonly without?: Defence };
export type FromWorker = { readonly kind: 'ready' } | { readonly kind: 'cycle'; readonly faults: readonly (readonly [string, number])[] } | { readonly kind: 'chunk'; readonly failure: Failure | null };

/** Serves chunk after chunk, until its parent lets it go. */
export async function serveChunks(): Promise<void> {
  const ground = await Ground.lay();
  const say = (message: FromWorker): void => void process.send?.(message);
  process.on('message', ({ seed, cycles, path, without }: ToWorker) => {
    const onCycle = (faults: ReadonlyMap<string, number>): void => say({ kind: 'cycle', faults: [...faults] });
    const run = runChaos(ground, { seed, cycles, onCycle, ...(path === undefined ? {} : { path }), ...(without === undefined ? {} : { weaken: weakenings[without] }) });
    run.then(
      (failure) => say({ kind: 'chunk', failure }),
      (error: unknown) => say({ kind: 'chunk', failure: { harm: 'broken', message: String(error), seed, path: '', history: [] } }),
    );
  });
  // Nothing that a history leaves behind keeps the process: it goes when its parent does.
  process.on('disconnect', () => void ground.remove().finally(() => process.exit(0)));
  say({ kind: 'ready' });
}
