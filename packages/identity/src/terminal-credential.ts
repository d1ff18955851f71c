import { createHmac } from 'node:crypto';
import { sessionIdSchema } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';

const TTYD_USER = 'vibe';

export interface TerminalCredential {
  /** What the container gets as a Swarm secret; the user is always `vibe`. */
  readonly password: string;
  /** The value of `Authorization` on the handshake. */
  readonly basic: string;
  /** ttyd wants it a second time in the first message, as base64 of `user:password` without the word Basic. */
  readonly authToken: string;
}

/**
 * The credential of one generation of one session: derived, so that nobody keeps it, and of use nowhere else. The password
 * is the base64url form of HMAC-SHA256 under the master key's text over `{id}:g{gen}`.
 */
export function terminalCredential(masterKey: string, id: string, gen: number): TerminalCredential {
  if (!sessionIdSchema.safeParse(id).success || !Number.isSafeInteger(gen) || gen < 1) throw new CodedError('bad_request', 'not a session and its generation');
  const password = createHmac('sha256', masterKey).update(`${id}:g${gen}`).digest('base64url');
  const authToken = Buffer.from(`${TTYD_USER}:${password}`).toString('base64');
  return { password, authToken, basic: `Basic ${authToken}` };
}
