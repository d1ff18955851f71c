import { createHmac, randomUUID } from 'node:crypto';
import { userIdSchema } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import jwt from 'jsonwebtoken';
import { z } from 'zod';

const ISSUER = 'vibeswarm';
const AUDIENCE = 'vibeswarm';
const ALGORITHM = 'HS256';
const MIN_KEY_LENGTH = 32;
const MAX_TOKEN_LENGTH = 2_048;
/** Clocks of two machines of one Swarm may differ by this much. */
const CLOCK_TOLERANCE_S = 5;

export const roles = ['admin'] as const;
export type Role = (typeof roles)[number];

/** How long a token of a sign-in lasts. */
export const SIGN_IN_LIFE_S = 12 * 3600;

const claimsSchema = z.object({
  sub: userIdSchema,
  iss: z.literal(ISSUER),
  aud: z.literal(AUDIENCE),
  exp: z.number(),
  nbf: z.number(),
  // A role that this version does not know gives nothing, and is no reason to refuse the rest.
  roles: z.array(z.string()).default([]),
});

export interface TokenSubject {
  readonly userId: string;
  readonly roles: readonly Role[];
}

export interface VerifiedToken extends TokenSubject {
  /** How long it is still good for, in seconds. */
  readonly leftS: number;
}

export interface Tokens {
  /** A signed token. Throws `bad_request` for a user id outside its alphabet. */
  sign(subject: TokenSubject, lifeS: number): string;
  /** Whose token it is, or null when it is not ours, not for us, expired, not yet valid or changed. Never throws. */
  verify(token: string): VerifiedToken | null;
}

/** Names a key without telling it. */
const kidOf = (key: string): string => createHmac('sha256', key).update('vibeswarm kid').digest('hex').slice(0, 16);

/**
 * Tokens signed with HS256 and nothing else. `key` holds one key a line: the first signs, all verify, so that a key is
 * changed by putting a new one first and taking the old one away a token's life later. `nowS` is for tests.
 */
export function createTokens(options: { key: string; nowS?: () => number }): Tokens {
  const keys = options.key.split(/\s+/).filter((key) => key !== '');
  const signing = keys[0];
  if (signing === undefined || keys.some((key) => key.length < MIN_KEY_LENGTH)) throw new CodedError('wrong_key', `a signing key has at least ${MIN_KEY_LENGTH} characters`);
  const byKid = new Map(keys.map((key) => [kidOf(key), key]));
  const nowS = options.nowS ?? (() => Math.floor(Date.now() / 1000));

  return {
    sign(subject, lifeS) {
      const userId = userIdSchema.safeParse(subject.userId);
      if (!userId.success) throw new CodedError('bad_request', userId.error.issues[0]?.message ?? 'not a user id');
      const now = nowS();
      const claims = { sub: userId.data, iss: ISSUER, aud: AUDIENCE, iat: now, nbf: now, exp: now + lifeS, jti: randomUUID(), roles: subject.roles };
      return jwt.sign(claims, signing, { algorithm: ALGORITHM, keyid: kidOf(signing) });
    },

    verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) return null;
      const key = byKid.get(kidIn(token) ?? '');
      if (key === undefined) return null;
      const now = nowS();
      const claims = claimsSchema.safeParse(verifySignature(token, key, now));
      if (!claims.success) return null;
      const { sub, exp, roles: claimed } = claims.data;
      return { userId: sub, roles: roles.filter((role) => claimed.includes(role)), leftS: Math.max(0, exp - now) };
    },
  };
}

function kidIn(token: string): string | undefined {
  try {
    return jwt.decode(token, { complete: true })?.header.kid;
  } catch {
    // Not a token at all: it names no key.
    return undefined;
  }
}

function verifySignature(token: string, key: string, clockTimestamp: number): unknown {
  try {
    return jwt.verify(token, key, { algorithms: [ALGORITHM], issuer: ISSUER, audience: AUDIENCE, clockTolerance: CLOCK_TOLERANCE_S, clockTimestamp });
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError || error instanceof SyntaxError) return null;
    throw error;
  }
}
