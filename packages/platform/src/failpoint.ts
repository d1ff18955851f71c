import { writeSync } from 'node:fs';
import { CodedError } from './errors';

export const failpointActions = ['kill', 'throw', 'hang', 'stop'] as const;
export type FailpointAction = (typeof failpointActions)[number];

let armed: ReadonlyMap<string, FailpointAction> = new Map();
/** The armed names that were met so far. */
const hit = new Set<string>();

/**
 * Reads `VIBE_FAILPOINTS`, e.g. `hibernate.after-push=kill,start.after-create=throw`, and arms what it names; an empty text
 * disarms all. Each acts once: whoever comes again meets nothing, as after a fault that passed. Throws on anything it does not understand: a fault test that tests nothing is worse than none.
 */
export function armFailpoints(text: string): void {
  const entries = text.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
  hit.clear();
  armed = new Map(
    entries.map((entry) => {
      const match = /^([a-z][a-z0-9.-]*)=(kill|throw|hang|stop)$/.exec(entry);
      if (!match) throw new Error(`VIBE_FAILPOINTS: "${entry}" is not name=kill|throw|hang|stop`);
      return [match[1] as string, match[2] as FailpointAction];
    }),
  );
}

/** The names that are armed now. */
export function armedFailpoints(): string[] {
  return [...armed.keys()];
}

/** The names that were met since they were armed: a fault test whose fault never came tests nothing. */
export function hitFailpoints(): ReadonlySet<string> {
  return hit;
}

/**
 * A named step at which a test may break the process: killed like by `kill -9`, an error, no answer for ever, or stopped as
 * it stands (no timer, no socket) until SIGCONT, which it says on stderr before. Does nothing unless armed. The names are literals, so that a search lists
 * them all.
 */
export async function failpoint(name: string): Promise<void> {
  const action = armed.get(name);
  if (action === undefined || hit.has(name)) return;
  hit.add(name);
  switch (action) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => {});
    case 'hang':
      return new Promise(() => {});
    case 'stop':
      // Written before it stands: nobody else can tell at which of those that are armed.
      writeSync(process.stderr.fd, `failpoint ${name}\n`);
      process.kill(process.pid, 'SIGSTOP');
      return;
    case 'throw':
      // Not a bare Error: those are what a Redis that is away looks like.
      throw new CodedError('failpoint', `failpoint ${name}`);
  }
}
