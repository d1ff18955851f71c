import type { ErrorCode } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { CodedError, type CodedErrorOptions, type Logger } from '@vibe/platform';
import type { Epoch, NodeReports, SessionStore } from '@vibe/session-store';
import type { JobRequests } from './job-requests';
import type { Settings } from './settings';

/** The settings that the API's decisions depend on; the rest is main.ts's own. */
export type ApiSettings = Pick<
  Settings,
  | 'BASE_IMAGE'
  | 'MAX_SESSIONS_PER_USER'
  | 'IDLE_TIMEOUT_MINUTES'
  | 'HIBERNATED_TTL_DAYS'
  | 'SESSION_CONSTRAINT'
  | 'SESSION_MEMORY_RESERVED_MIB'
  | 'SESSIONS_PER_NODE_MAX'
  | 'TTYD_KEY_FILE'
  | 'VIBE_PUBLIC_HOST'
>;

/** What main.ts opens once and every concern of the API is handed. */
export interface ApiParts {
  readonly settings: ApiSettings;
  readonly store: SessionStore;
  readonly epoch: Epoch;
  readonly reports: NodeReports;
  readonly jobs: JobRequests;
  readonly logger: Logger;
}

/** How a user's moves are signed in the audit stream. */
export const actorOf = (identity: Identity): string => `user:${identity.userId}`;

/** An error of the API by its code; the map in contracts gives the status. */
export function apiError(code: ErrorCode, message: string, options?: CodedErrorOptions): CodedError {
  return new CodedError(code, message, options);
}
