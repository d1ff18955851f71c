import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import WebSocket, { type RawData } from 'ws';
import type { TerminalAddress } from './api-client';
import type { Installation } from './installation';
import { plainText } from './plain-text';

/** The handshake was answered with an HTTP status instead of a socket. */
export class SocketRefused extends Error {
  constructor(
    readonly status: number,
    readonly headers: IncomingHttpHeaders,
  ) {
    super(`the socket was refused with ${status}`);
    this.name = 'SocketRefused';
  }
}

export interface ConnectOptions {
  /** Bearer token of whoever connects; null = nobody. */
  readonly token: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly rows?: number;
  readonly withinMs?: number;
}

interface Expectation {
  readonly check: () => void;
  readonly fail: (error: Error) => void;
}

/** ttyd's frames begin with one letter (ttyd 1.7.7, src/server.h): to it `0` input; from it `0` output. */
const INPUT = '0';
const OUTPUT = '0';
const KEEP_CHARACTERS = 400_000;
const DEFAULT_WITHIN_MS = 30_000;

/** A person at a terminal: types, and reads what comes back. Speaks ttyd's protocol over one WebSocket. */
export class TerminalClient {
  /** The headers of the 101. */
  readonly headers: IncomingHttpHeaders;
  readonly #socket: WebSocket;
  readonly #expectations = new Set<Expectation>();
  readonly #decoder = new TextDecoder();
  #output = '';
  #ended: Error | null = null;

  private constructor(socket: WebSocket, headers: IncomingHttpHeaders) {
    this.#socket = socket;
    this.headers = headers;
    socket.on('message', (data: RawData) => this.#take(data));
    socket.on('close', (code, reason) => this.#end(new Error(`the socket was closed with ${code} ${reason.toString()}`)));
    socket.on('error', (cause) => this.#end(new Error('the socket broke', { cause })));
  }

  /** Opens the socket and says ttyd's first message. Throws SocketRefused when there is an HTTP answer instead of a 101. */
  static connect(installation: Installation, address: TerminalAddress, options: ConnectOptions): Promise<TerminalClient> {
    const url = new URL(address.path, installation.url);
    url.protocol = 'wss:';
    const socket = new WebSocket(url, ['tty'], {
      ...installation.tls,
      handshakeTimeout: options.withinMs ?? DEFAULT_WITHIN_MS,
      headers: { ...(options.token === null ? {} : { authorization: `Bearer ${options.token}` }), ...options.headers },
    });
    return new Promise((resolve, reject) => {
      let client: TerminalClient | undefined;
      socket.once('upgrade', (response) => {
        client = new TerminalClient(socket, response.headers);
      });
      socket.once('unexpected-response', (request, response) => {
        response.resume();
        request.destroy();
        reject(new SocketRefused(response.statusCode ?? 0, response.headers));
      });
      socket.once('error', reject);
      socket.once('open', () => {
        socket.off('error', reject);
        socket.send(Buffer.from(JSON.stringify({ AuthToken: address.auth_token, columns: options.columns ?? 200, rows: options.rows ?? 50 })));
        if (client) resolve(client);
      });
    });
  }

  /**
   * Which way the socket came: straight from Traefik by the session's labels, or through the gateway, which says so on
   * its 101. Traefik's middlewares add nothing to a 101 (v3.6).
   */
  get route(): 'label' | 'fallback' {
    return this.headers['x-vibe-route'] === 'fallback' ? 'fallback' : 'label';
  }

  get isOpen(): boolean {
    return this.#ended === null;
  }

  /** Everything received so far (the last 400,000 characters), as a person would read it. */
  text(): string {
    return plainText(this.#output);
  }

  /** Sends keys as they are; `\r` is the Enter key. */
  type(keys: string): void {
    this.#socket.send(Buffer.from(INPUT + keys));
  }

  /** Waits until all that was received matches. Throws with the end of the output when time is over or the socket ended. */
  expect(what: RegExp, options: { readonly withinMs?: number } = {}): Promise<RegExpExecArray> {
    const withinMs = options.withinMs ?? DEFAULT_WITHIN_MS;
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#expectations.delete(expectation);
      };
      const expectation: Expectation = {
        check: () => {
          const match = what.exec(this.text());
          if (match === null) return;
          finish();
          resolve(match);
        },
        fail: (cause) => {
          finish();
          reject(new Error(`${String(what)} was not seen; the end of the output: ${JSON.stringify(this.text().slice(-600))}`, { cause }));
        },
      };
      const timer = setTimeout(() => expectation.fail(new Error(`${withinMs / 1000} s are over`)), withinMs);
      this.#expectations.add(expectation);
      expectation.check();
      if (this.#ended) expectation.fail(this.#ended);
    });
  }

  /** Waits for the shell's prompt: what is typed before tmux has drawn itself may be thrown away by it. */
  async untilPrompt(options: { readonly withinMs?: number } = {}): Promise<void> {
    await this.expect(/[$#] *$|[$#] \n/m, options);
  }

  /**
   * Types a command and returns what it printed (both streams, trimmed). It runs in a subshell of the shell that is
   * there: `$$` is that shell's pid, a `cd` is lost. The command is one line that a `;` may follow. The output travels as base64, so that no terminal drawing gets in.
   */
  async run(command: string, options: { readonly withinMs?: number } = {}): Promise<string> {
    const mark = randomBytes(4).toString('hex');
    this.type(` printf '<%s:%s:%s>\\n' ${mark} "$( { ${command}; } 2>&1 | base64 -w0)" ${mark}\r`);
    const match = await this.expect(new RegExp(`<${mark}:([A-Za-z0-9+/=\\s]*):${mark}>`), options);
    return Buffer.from((match[1] ?? '').replace(/\s/g, ''), 'base64').toString().trim();
  }

  /** Closes the socket; the shell goes on without it. */
  close(): void {
    this.#socket.close();
  }

  /** Waits until the other side closed the socket. */
  untilClosed(options: { readonly withinMs?: number } = {}): Promise<void> {
    return this.expect(/(?!)/, options).then(
      () => undefined,
      (error: unknown) => {
        if (!this.isOpen) return;
        throw error;
      },
    );
  }

  #take(data: RawData): void {
    const frame = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    if (String.fromCharCode(frame[0] ?? 0) !== OUTPUT) return;
    this.#output = (this.#output + this.#decoder.decode(frame.subarray(1), { stream: true })).slice(-KEEP_CHARACTERS);
    for (const expectation of [...this.#expectations]) expectation.check();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const expectation of [...this.#expectations]) expectation.fail(this.#ended);
  }
}
