import { CodedError } from '@vibe/platform';
import { tokenInCookie } from './cookies';
import type { Identity, RequestHeaders } from './identity';
import { headerOf } from './identity';
import { originOf } from './public-host';
import type { Tokens } from './tokens';

/**
 * The sign-in seam: the one place that says who is asking. Everything behind it knows an Identity and nothing of tokens;
 * another identity provider is another way to get our cookie, or another Doorkeeper.
 */
export interface Doorkeeper {
  /** Who is asking, by a verified bearer token or cookie, or null. No other header is ever looked at. */
  identify(headers: RequestHeaders): Promise<Identity | null>;
  /** Like `identify` for a safe request; throws `unauthenticated`. */
  admit(headers: RequestHeaders): Promise<Identity>;
  /** For what changes something or opens a socket: also the Origin must be ours. Throws `unauthenticated`, `forbidden_origin`. */
  admitFromOurPages(headers: RequestHeaders): Promise<Identity>;
  /** For a form of somebody who is not signed in yet: the Origin must be there and ours. Throws `forbidden_origin`. */
  requireOurOrigin(headers: RequestHeaders): void;
}

/** True when the Origin is exactly ours. An absent one passes only where no cookie could have been sent unasked; `null` never. */
function isTrustedOrigin(headers: RequestHeaders, options: { ours: string; mayBeAbsent: boolean }): boolean {
  if (headers.origin === undefined) return options.mayBeAbsent;
  return headerOf(headers, 'origin') === options.ours;
}

function bearerToken(headers: RequestHeaders): string | null {
  const match = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(headerOf(headers, 'authorization') ?? '');
  return match?.[1] ?? null;
}

export function createDoorkeeper(options: { tokens: Tokens; publicHost: string }): Doorkeeper {
  const ours = originOf(options.publicHost);

  const identify = async (headers: RequestHeaders): Promise<Identity | null> => {
    const bearer = bearerToken(headers);
    // A bearer token that is wrong is not made good by a cookie beside it.
    const token = bearer ?? tokenInCookie(headers);
    const subject = token === null ? null : options.tokens.verify(token);
    return subject && { userId: subject.userId, isAdmin: subject.roles.includes('admin'), via: bearer === null ? 'cookie' : 'bearer' };
  };

  const admit = async (headers: RequestHeaders): Promise<Identity> => {
    const identity = await identify(headers);
    if (!identity) throw new CodedError('unauthenticated', 'sign in first');
    return identity;
  };

  const forbidden = (): CodedError => new CodedError('forbidden_origin', `this may be asked only by the pages of ${ours}`);

  return {
    identify,
    admit,
    async admitFromOurPages(headers) {
      const identity = await admit(headers);
      if (!isTrustedOrigin(headers, { ours, mayBeAbsent: identity.via === 'bearer' })) throw forbidden();
      return identity;
    },
    requireOurOrigin(headers) {
      if (!isTrustedOrigin(headers, { ours, mayBeAbsent: false })) throw forbidden();
    },
  };
}
