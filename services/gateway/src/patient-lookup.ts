import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

export interface PatientLookupOptions {
  /** The system's unless told; never c-ares, which keeps "no such name". */
  readonly lookup?: LookupFunction;
  /** From the first question to the last, in ms. */
  readonly limitMs?: number;
  readonly everyMs?: number;
}

/** What getaddrinfo says of a name that nobody knows, or that nobody could ask for. */
const NOT_KNOWN = new Set(['ENOTFOUND', 'ENODATA', 'EAI_AGAIN']);

/**
 * Looks a task's name up again while nobody knows it: the Swarm's nodes tell each other of a new task by gossip, so that a
 * terminal may listen on its node a moment before its name reaches ours. Every other error is passed on at once.
 */
export function patientLookup({ lookup = systemLookup, limitMs = 3_000, everyMs = 100 }: PatientLookupOptions = {}): LookupFunction {
  return (name, options, callback) => {
    const endsAt = performance.now() + limitMs;
    const ask = (): void => {
      lookup(name, options, (error, ...found) => {
        const mayCome = error !== null && NOT_KNOWN.has(error.code ?? '') && performance.now() < endsAt;
        if (mayCome) setTimeout(ask, everyMs);
        else callback(error, ...found);
      });
    };
    ask();
  };
}
