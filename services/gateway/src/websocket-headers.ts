import type { IncomingHttpHeaders } from 'node:http';

const handshakeRequest = ['sec-websocket-key', 'sec-websocket-version', 'sec-websocket-protocol', 'sec-websocket-extensions'] as const;
const handshakeAnswer = ['sec-websocket-accept', 'sec-websocket-protocol', 'sec-websocket-extensions'] as const;

function pick(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]]] : [])));
}

/** What a container gets to see of a handshake: the handshake and its own credential. No cookie, no token, no address. */
export function headersForContainer(headers: IncomingHttpHeaders, options: { host: string; authorization: string }): Record<string, string> {
  return { host: options.host, connection: 'Upgrade', upgrade: 'websocket', ...pick(headers, handshakeRequest), authorization: options.authorization };
}

/** What a browser gets to see of a container's answer: the handshake alone. A container sets no cookie and no policy of ours. */
export function headersFromContainer(headers: IncomingHttpHeaders): Record<string, string> {
  return {
    connection: 'Upgrade',
    upgrade: 'websocket',
    ...pick(headers, handshakeAnswer),
    'x-vibe-route': 'fallback',
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
  };
}
