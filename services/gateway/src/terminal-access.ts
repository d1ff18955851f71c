import type { SessionRecord } from '@vibe/contracts';
import { parseTerminalSocket } from '@vibe/contracts';
import type { Doorkeeper, RequestHeaders, TerminalCredential } from '@vibe/identity';
import { terminalCredential } from '@vibe/identity';
import { CodedError, whileRedisAnswers } from '@vibe/platform';

/** What the gateway reads of the sessions; it never writes. */
export interface SessionReader {
  get(id: string): Promise<SessionRecord | null>;
  /** False while the records are being rebuilt: then an absent one means nothing. */
  areRecordsWhole(): Promise<boolean>;
}

export interface OpenTerminal {
  readonly id: string;
  readonly gen: number;
  readonly userId: string;
  /** The name of the task's container on the overlay: never one that two generations share. */
  readonly taskName: string;
  readonly credential: TerminalCredential;
}

/** Decides who may open a socket. `path` is judged as it came, nothing is decoded; a query is not part of any socket's path. */
export type TerminalAccess = (request: { headers: RequestHeaders; method: string | undefined; path: string | undefined }) => Promise<OpenTerminal>;

/**
 * Passes the owner of a session that is running at exactly the generation in the path. Throws `unauthenticated`,
 * `forbidden_origin`, `unavailable`, `rebuilding`, and the same `not_found` for a path that names no socket, a session that
 * is absent, somebody else's, asleep, or at another generation.
 */
export function createTerminalAccess(options: { doorkeeper: Doorkeeper; sessions: SessionReader; terminalKey: string }): TerminalAccess {
  return async ({ headers, method, path }) => {
    const identity = await options.doorkeeper.admitFromOurPages(headers);
    const named = method === 'GET' ? parseTerminalSocket(path ?? '') : null;
    if (!named) throw notThere();
    const record = await whileRedisAnswers(() => readRecord(options.sessions, named.id));
    const isOpenToThem = record?.user_id === identity.userId && record.state === 'running' && record.gen === named.gen;
    if (!isOpenToThem || record.task_name === undefined) throw notThere();
    return { ...named, userId: identity.userId, taskName: record.task_name, credential: terminalCredential(options.terminalKey, named.id, named.gen) };
  };
}

async function readRecord(sessions: SessionReader, id: string): Promise<SessionRecord | null> {
  const record = await sessions.get(id);
  if (record || (await sessions.areRecordsWhole())) return record;
  throw new CodedError('rebuilding', 'the list of sessions is being rebuilt; try again soon', { retryable: true, retryAfterS: 5 });
}

const notThere = (): CodedError => new CodedError('not_found', 'there is no such terminal');
