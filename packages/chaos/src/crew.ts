import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Failure } from './chaos-run';
import type { Chunk } from './chunks';
import type { Defence } from './weakenings';
import type { FromWorker, ToWorker } from './worker-process';

/** A worker is replaced after so many chunks: what dead processes of histories leave in its memory goes with it. */
const CHUNKS_A_LIFE = 12;

export interface CrewOptions {
  /** The file that serves chunks when it is run with `--serve`. */
  readonly program: string;
  readonly workers: number;
  /** A memory-backed folder for what Redis and the fake machines write. */
  readonly tmpDir: string;
  readonly path?: string;
  readonly without?: Defence;
  readonly onCycle: (faults: readonly (readonly [string, number])[]) => void;
  readonly onFailure: (failure: Failure) => void;
}

/** Has all chunks run by so many processes at once. Rejects when one of them ends by itself. */
export async function runChunks(chunks: readonly Chunk[], options: CrewOptions): Promise<void> {
  const waiting = [...chunks];
  await Promise.all(
    Array.from({ length: Math.min(options.workers, chunks.length) }, async () => {
      while (waiting.length > 0) await liveOnce(waiting, options);
    }),
  );
}

/** The life of one worker. */
async function liveOnce(waiting: Chunk[], options: CrewOptions): Promise<void> {
  const worker = fork(options.program, ['--serve'], { env: { ...process.env, TMPDIR: options.tmpDir }, execArgv: process.execArgv, stdio: ['ignore', 2, 2, 'ipc'] });
  const ended = once(worker, 'exit') as Promise<[code: number | null, signal: string | null]>;
  const gone = ended.then(([code, signal]) => {
    throw new Error(`a worker ended by itself (${signal ?? `exit code ${code ?? 0}`})`);
  });
  gone.catch(() => undefined);
  try {
    await Promise.race([heard(worker, options), gone]);
    for (let left = CHUNKS_A_LIFE; left > 0; left -= 1) {
      const chunk = waiting.shift();
      if (!chunk) break;
      const { path, without } = options;
      const order: ToWorker = { ...chunk, ...(path === undefined ? {} : { path }), ...(without === undefined ? {} : { without }) };
      worker.send(order);
      // A history that was cut off while it was made shorter goes on in that process, on the Redis of the next one.
      if ((await Promise.race([heard(worker, options), gone])) === 'broken') break;
    }
  } finally {
    if (worker.connected) worker.disconnect();
    await ended;
  }
}

/** Resolves when the worker is ready for the next chunk, or has come upon a broken promise. */
function heard(worker: ChildProcess, { onCycle, onFailure }: CrewOptions): Promise<'well' | 'broken'> {
  return new Promise((resolve) => {
    const hear = (message: FromWorker): void => {
      if (message.kind === 'cycle') return onCycle(message.faults);
      worker.off('message', hear);
      const failure = message.kind === 'chunk' ? message.failure : null;
      if (failure) onFailure(failure);
      resolve(failure ? 'broken' : 'well');
    };
    worker.on('message', hear);
  });
}
