import { randomBytes } from 'node:crypto';
import { z } from 'zod';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** A session id: 26 characters of `[a-z0-9]`. Anything else is refused before it reaches a path, a key or an Engine. */
export const sessionIdSchema = z.string().regex(/^[a-z0-9]{26}$/, 'a session id has 26 characters of a-z and 0-9');

/** A user id as the identity seam hands it out: also a Redis key part and an Engine label, so a closed alphabet. */
export const userIdSchema = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,63}$/, 'a user id has 1 to 64 letters, digits or . _ @ - and starts with a letter or digit');

/** `sha256:` and 64 hex digits. */
export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** Encodes bytes in base32 (RFC 4648, lower case, no padding). */
function base32(bytes: Uint8Array): string {
  let out = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET[(buffer >> bits) & 31];
      buffer &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? out + ALPHABET[(buffer << (5 - bits)) & 31] : out;
}

/** A new session id: 128 random bits as 26 characters. */
export function newSessionId(): string {
  return base32(randomBytes(16));
}

/** A new attempt: 8 random characters drawn for each commit, so that no two commits ever share a tag. */
export function newAttempt(): string {
  return base32(randomBytes(5));
}

/** One run of the registry's garbage collection. */
export const collectionRunSchema = z.string().regex(/^[a-z0-9]{8}$/, 'a run has 8 characters of a-z and 0-9');
export const newCollectionRun = newAttempt;

export const serviceNameOf = (id: string): string => `session-${id}`;
export const secretNameOf = (id: string, gen: number): string => `ttyd-${id}-g${gen}`;
export const repositoryOf = (id: string): string => `vibe-session-${id}`;
export const snapshotTagOf = (gen: number, rev: number, attempt: string): string => `g${gen}-r${rev}-${attempt}`;

/** The generation and revision a snapshot's tag names, or null for a tag that is none of ours. */
export function parseSnapshotTag(tag: string): { gen: number; rev: number; attempt: string } | null {
  const match = /^g(\d+)-r(\d+)-([a-z0-9]{8})$/.exec(tag);
  return match ? { gen: Number(match[1]), rev: Number(match[2]), attempt: match[3] as string } : null;
}

/** The session a repository of the registry belongs to, or null. */
export function sessionOfRepository(repository: string): string | null {
  return /^vibe-session-([a-z0-9]{26})$/.exec(repository)?.[1] ?? null;
}

/** Where ttyd of one generation listens: its base path, and the path of its socket. */
export const terminalBaseOf = (id: string, gen: number): string => `/ttyd/${id}/g${gen}`;
export const terminalSocketOf = (id: string, gen: number): string => `${terminalBaseOf(id, gen)}/ws`;

/** The session and generation that a socket path names, or null. Judges the exact path: nothing is decoded or normalised. */
export function parseTerminalSocket(path: string): { id: string; gen: number } | null {
  const match = /^\/ttyd\/([a-z0-9]{26})\/g([1-9]\d{0,8})\/ws$/.exec(path);
  return match ? { id: match[1] as string, gen: Number(match[2]) } : null;
}

/** The port ttyd listens on in every session. */
export const TERMINAL_PORT = 7681;
