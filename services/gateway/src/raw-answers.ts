import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** How long the other side may take to read a refusal before its socket is cut, in ms. */
const READ_LIMIT_MS = 5_000;

/**
 * Answers an upgrade with a status and nothing else, then closes: what went wrong is told to the log, never to the other
 * side. Safe on a socket that is gone.
 */
export function refuseUpgrade(socket: Duplex, status: number, retryAfterS?: number): void {
  if (socket.destroyed || socket.writableEnded) return;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`, 'Connection: close', 'Content-Length: 0', ...(retryAfterS === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterS)}`])];
  const cut = setTimeout(() => socket.destroy(), READ_LIMIT_MS);
  socket.once('close', () => clearTimeout(cut));
  // What it still sends is read and dropped: unread bytes would turn our goodbye into a reset.
  socket.resume();
  socket.end(`${lines.join('\r\n')}\r\n\r\n`, () => socket.destroy());
}
