/**
 * ttyd's frames (1.7.7, `src/server.h`): one character says what it is, the
 * rest is the payload. The first message to it has no such character: it is JSON with the token and the size.
 */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const INPUT = '0'.charCodeAt(0);
const OUTPUT = '0'.charCodeAt(0);
const encoder = new TextEncoder();

/** The first message: without it, or with a wrong token, ttyd stays silent. */
export function helloFrame(authToken: string, size: TerminalSize): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify({ AuthToken: authToken, columns: size.columns, rows: size.rows }));
}

/** What was typed or pasted. */
export function inputFrame(text: string): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(text.length * 3 + 1);
  frame[0] = INPUT;
  const { written } = encoder.encodeInto(text, frame.subarray(1));
  return frame.slice(0, written + 1);
}

/** Bytes that are not text (old mouse reports), one a character. */
export function binaryFrame(data: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([INPUT, ...Array.from(data, (character) => character.charCodeAt(0) & 255)]);
}

export function resizeFrame(size: TerminalSize): Uint8Array<ArrayBuffer> {
  return encoder.encode(`1${JSON.stringify({ columns: size.columns, rows: size.rows })}`);
}

/** Asks ttyd to stop reading the shell's output, so that the shell waits. */
export const pauseFrame: Uint8Array<ArrayBuffer> = encoder.encode('2');
export const resumeFrame: Uint8Array<ArrayBuffer> = encoder.encode('3');

/**
 * The shell's output in a message from ttyd; null for the other two kinds, which are left aside: its title (1) is a command
 * line and a host name, the shell sets a better one, and its preferences (2) come from the container: a terminal's content
 * does not configure the page.
 */
export function outputOf(data: unknown): Uint8Array | null {
  if (!(data instanceof ArrayBuffer) || data.byteLength === 0) return null;
  const bytes = new Uint8Array(data);
  return bytes[0] === OUTPUT ? bytes.subarray(1) : null;
}
