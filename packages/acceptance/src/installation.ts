import { isIP } from 'node:net';
import { runToken } from './token-command';

/** A running installation as its users see it: one address, and a way to get a user's bearer token. */
export interface Installation {
  readonly url: URL;
  readonly tls: { readonly rejectUnauthorized: boolean };
  tokenOf(userId: string): Promise<string>;
}

/** True for names and addresses that never leave this machine. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isIP(host) === 4) return host.startsWith('127.');
  if (isIP(host) === 6) return host === '::1';
  return host === 'localhost' || host.endsWith('.localhost');
}

export interface InstallationOptions {
  /** `https://host[:port]`. */
  readonly url: string;
  /** A shell command that prints a bearer token of the user whose name is appended as its last argument. */
  readonly tokenCommand: string;
  /** A certificate nobody signed is accepted on loopback alone, unless the person who runs this says otherwise. */
  readonly acceptsAnyCertificate?: boolean;
}

/** Describes an installation; asks nothing of it yet. Tokens are fetched once a user. */
export function installationAt(options: InstallationOptions): Installation {
  const url = new URL(options.url);
  if (url.protocol !== 'https:') throw new Error(`the address of an installation starts with https://, not with ${url.protocol}//`);
  const tokens = new Map<string, Promise<string>>();
  return {
    url,
    tls: { rejectUnauthorized: !(isLoopback(url.hostname) || options.acceptsAnyCertificate === true) },
    tokenOf(userId) {
      const known = tokens.get(userId) ?? runToken(options.tokenCommand, userId);
      tokens.set(userId, known);
      return known;
    },
  };
}
