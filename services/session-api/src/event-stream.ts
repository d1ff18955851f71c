import type { Response } from 'express';

/** What waits for a slow reader at most, in bytes; beyond that it is cut off and gets the whole list when it is back. */
const BACKLOG_MAX_BYTES = 1024 * 1024;

/** One open `text/event-stream` (WHATWG HTML, 9.2). */
export interface EventStream {
  send(event: string, data: unknown): void;
  /** A comment: keeps proxies from closing a stream in which nothing happens. */
  beat(): void;
  /** Ends it; the reader connects anew by itself. Safe to repeat. */
  close(): void;
}

/** Turns the answer into a stream. `onClose` is called once, whoever ended it. */
export function openEventStream(response: Response, onClose: () => void): EventStream {
  response.set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' });
  response.once('close', onClose);
  const write = (text: string): void => {
    if (response.writableEnded || response.destroyed) return;
    if (response.writableLength > BACKLOG_MAX_BYTES) response.destroy();
    else response.write(text);
  };
  write('retry: 2000\n\n');
  return {
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    beat: () => write(': \n\n'),
    close: () => response.end(),
  };
}
