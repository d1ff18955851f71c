import { parseCookie, stringifySetCookie } from 'cookie';
import type { RequestHeaders } from './identity';
import { headerOf } from './identity';

/** `__Host-`: browsers take it only from our own origin, over TLS, for the path `/`. No neighbour domain can plant one. */
export const SIGN_IN_COOKIE = '__Host-vibe';

const attributes = { httpOnly: true, secure: true, sameSite: 'lax', path: '/' } as const;

/** The `Set-Cookie` value that signs a browser in. */
export function signInCookie(token: string, lifeS: number): string {
  return stringifySetCookie({ name: SIGN_IN_COOKIE, value: token, maxAge: lifeS, ...attributes });
}

/** The `Set-Cookie` value that signs a browser out. */
export function signOutCookie(): string {
  return stringifySetCookie({ name: SIGN_IN_COOKIE, value: '', maxAge: 0, ...attributes });
}

/** The token in the sign-in cookie, or null. */
export function tokenInCookie(headers: RequestHeaders): string | null {
  const header = headerOf(headers, 'cookie');
  return (header === undefined ? undefined : parseCookie(header)[SIGN_IN_COOKIE]) || null;
}
