import { once } from 'node:events';
import { WebSocket } from 'ws';

/** A terminal opened as the page opens it: ttyd's protocol, both credentials included. */
export interface TtydClient {
  /** Sends keys as typed. */
  type(keys: string): void;
  /** Types a line and the Enter key. */
  enter(line: string): void;
  /** Resolves with the text since the last match once it matches (without escape sequences); rejects after the limit with what came instead. */
  sees(pattern: RegExp, limitMs?: number): Promise<string>;
  readonly isOpen: boolean;
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>;
  close(): void;
}

// Colours, cursor moves and titles: what a person does not read.
const ESC = String.fromCharCode(27);
const escapes = new RegExp(`${ESC}(\\[[0-9;?]*[A-Za-z]|\\(B|\\][^\u0007]*\u0007)`, 'g');

const basic = (credential: string) => Buffer.from(`vibe:${credential}`).toString('base64');

/** Opens the socket; rejects when the handshake is refused. `token` is sent in the first message. */
export async function openTtyd(host: string, base: string, credential: string, token = basic(credential)): Promise<TtydClient> {
  const socket = new WebSocket(`ws://${host}:7681${base}/ws`, ['tty'], { headers: { Authorization: `Basic ${basic(credential)}` } });
  let seen = '';
  let wake: () => void = () => undefined;
  socket.on('message', (frame: Buffer) => {
    if (frame[0] === 0x30) seen += frame.subarray(1).toString();
    wake();
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'open');
  // What follows an error is the close, and that is what callers wait for.
  socket.on('error', () => undefined);
  socket.send(Buffer.from(JSON.stringify({ AuthToken: token, columns: 100, rows: 30 })));

  const type = (keys: string) => socket.send(Buffer.from(`0${keys}`));
  return {
    type,
    enter: (line) => type(`${line}\r`),
    sees: (pattern, limitMs = 60_000) =>
      new Promise((resolve, reject) => {
        const limit = setTimeout(() => {
          wake = () => undefined;
          reject(new Error(`no ${String(pattern)} within ${limitMs} ms in: ${JSON.stringify(seen.replace(escapes, '').slice(-1500))}`));
        }, limitMs);
        wake = () => {
          const text = seen.replace(escapes, '');
          const match = pattern.exec(text);
          if (!match) return;
          clearTimeout(limit);
          wake = () => undefined;
          seen = text.slice(match.index + match[0].length);
          resolve(match[0]);
        };
        wake();
      }),
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    closed,
    close: () => socket.close(),
  };
}
