import { isIPv4 } from 'node:net';

/** The address people use, from `VIBE_PUBLIC_HOST` (`host` or `host:port`), or null when that is not a host. */
function addressOf(publicHost: string): URL | null {
  const address = URL.canParse(`https://${publicHost}`) ? new URL(`https://${publicHost}`) : null;
  const isHostAlone = address?.pathname === '/' && address.search === '' && address.hash === '' && address.username === '' && address.password === '';
  return isHostAlone && !/[/\\?#@\s]/.test(publicHost) ? address : null;
}

/** True for `host` or `host:port`, nothing more. */
export function isPublicHost(text: string): boolean {
  return addressOf(text) !== null;
}

/** The one Origin of our pages: `https://host`, without the port where it is 443, as browsers write it. */
export function originOf(publicHost: string): string {
  const address = addressOf(publicHost);
  if (!address) throw new TypeError(`not a host: ${publicHost}`);
  return address.origin;
}

/** True when only this machine reaches the host: `localhost`, `*.localhost` (RFC 6761), 127.0.0.0/8, `[::1]`. */
export function isLocalHost(publicHost: string): boolean {
  const name = addressOf(publicHost)?.hostname;
  if (name === undefined) return false;
  return name === 'localhost' || name.endsWith('.localhost') || (isIPv4(name) && name.startsWith('127.')) || name === '[::1]';
}
