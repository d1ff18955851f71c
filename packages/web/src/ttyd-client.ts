import { binaryFrame, helloFrame, inputFrame, outputOf, pauseFrame, resizeFrame, resumeFrame, type TerminalSize } from './ttyd-frames';

/** The part of the browser's WebSocket that the client uses. */
export interface TtydSocket {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
}

export type SocketStatus =
  | { readonly kind: 'closed' }
  /** `attempt` counts from 0; above 0 it worked before, or should have. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open' }
  /** The next attempt is at `until` (ms, the clock of `now`). */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly until: number };

export interface TtydClientOptions {
  /** Opens a socket with ttyd's subprotocol `tty` to that path. */
  readonly openSocket: (path: string) => TtydSocket;
  readonly schedule: (ms: number, task: () => void) => () => void;
  readonly now: () => number;
  /** 0 ≤ x < 1: spreads the reconnects of many pages after one restart of the edge. */
  readonly random: () => number;
  readonly size: () => TerminalSize;
  /** What is on the screen is over: a new socket shows its own from the start. */
  readonly onFresh: () => void;
  /** Shell output; `done` must be called when it is on the screen. */
  readonly onOutput: (bytes: Uint8Array, done: () => void) => void;
  readonly onStatus: (status: SocketStatus) => void;
}

const OPEN = 1;
const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** ttyd sends its title at once; with a wrong token it stays silent. */
const FIRST_FRAME_LIMIT_MS = 10_000;
const HIGH_WATER_BYTES = 512 * 1024;
const LOW_WATER_BYTES = 128 * 1024;

/**
 * One terminal's socket: first message, flow control, and a new socket to the same place when one breaks. It knows
 * nothing of sessions: whoever holds it says `connect`, `hold` or `drop`; it never wakes anything.
 */
export class TtydClient {
  private target: { readonly path: string; readonly authToken: string } | null = null;
  private isHeld = false;
  private socket: TtydSocket | null = null;
  private isReady = false;
  private attempt = 0;
  private cancelTimer: (() => void) | null = null;

  constructor(private readonly options: TtydClientOptions) {}

  /** Connects, and stays connected until told otherwise. The same target again only ends a `hold`. */
  connect(path: string, authToken: string): void {
    const isSame = this.target?.path === path && this.target.authToken === authToken;
    const wasHeld = this.isHeld;
    this.isHeld = false;
    if (isSame && (this.socket !== null || this.cancelTimer !== null)) {
      // Nothing was sent while it was held: the window may have changed.
      if (wasHeld) this.resize(this.options.size());
      return;
    }
    this.target = { path, authToken };
    this.attempt = 0;
    this.dial();
  }

  /** Keeps the socket that is there and makes no new one: the shell is frozen, and a cancel brings the same one back. */
  hold(): void {
    this.isHeld = true;
    if (this.socket !== null) return;
    this.stopTimer();
    this.options.onStatus({ kind: 'closed' });
  }

  /** Closes the socket and forgets where it led. Safe to repeat. */
  drop(): void {
    if (this.target === null) return;
    this.target = null;
    this.hangUp();
    this.options.onFresh();
    this.options.onStatus({ kind: 'closed' });
  }

  /** Does a reconnect that is waited for at once: the person is here. */
  hurry(): void {
    if (this.target !== null && this.socket === null && !this.isHeld) this.dial();
  }

  /** False when nothing can be typed now: the text was not sent, and is not kept. */
  type(text: string): boolean {
    return this.send(inputFrame(text));
  }

  /** As `type`, for bytes that are not text. */
  typeBinary(data: string): boolean {
    return this.send(binaryFrame(data));
  }

  resize(size: TerminalSize): void {
    this.send(resizeFrame(size));
  }

  private send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (this.socket?.readyState !== OPEN || !this.isReady || this.isHeld) return false;
    this.socket.send(frame);
    return true;
  }

  private dial(): void {
    const { target, options } = this;
    if (target === null) return;
    this.hangUp();
    options.onStatus({ kind: 'connecting', attempt: this.attempt });
    const socket = options.openSocket(target.path);
    this.socket = socket;
    this.isReady = false;
    socket.binaryType = 'arraybuffer';
    const takeOutput = flowControl((frame) => {
      if (this.socket === socket && socket.readyState === OPEN) socket.send(frame);
    }, options.onOutput);
    this.cancelTimer = options.schedule(FIRST_FRAME_LIMIT_MS, () => {
      this.lose(socket);
    });
    socket.onopen = () => {
      if (this.socket === socket) socket.send(helloFrame(target.authToken, options.size()));
    };
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      if (!this.isReady) this.becomeReady();
      const output = outputOf(data);
      if (output !== null) takeOutput(output);
    };
    socket.onclose = () => {
      this.lose(socket);
    };
  }

  private becomeReady(): void {
    this.isReady = true;
    this.attempt = 0;
    this.stopTimer();
    this.options.onFresh();
    this.options.onStatus({ kind: 'open' });
    // The window may have changed since the first message.
    this.resize(this.options.size());
  }

  private lose(socket: TtydSocket): void {
    if (this.socket !== socket) return;
    this.hangUp();
    if (this.isHeld) {
      this.options.onStatus({ kind: 'closed' });
      return;
    }
    const backoffMs = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)] ?? 0;
    const waitMs = Math.round(backoffMs * (0.75 + this.options.random() / 2));
    this.attempt += 1;
    this.cancelTimer = this.options.schedule(waitMs, () => {
      this.dial();
    });
    this.options.onStatus({ kind: 'waiting', attempt: this.attempt, until: this.options.now() + waitMs });
  }

  private hangUp(): void {
    this.stopTimer();
    const { socket } = this;
    this.socket = null;
    this.isReady = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private stopTimer(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }
}

/** Passes output on and asks ttyd to wait while more is on its way to the screen than a browser draws in a moment. */
function flowControl(send: (frame: Uint8Array<ArrayBuffer>) => void, onOutput: TtydClientOptions['onOutput']): (bytes: Uint8Array) => void {
  let pendingBytes = 0;
  let isPaused = false;
  return (bytes) => {
    pendingBytes += bytes.length;
    if (!isPaused && pendingBytes > HIGH_WATER_BYTES) {
      isPaused = true;
      send(pauseFrame);
    }
    onOutput(bytes, () => {
      pendingBytes -= bytes.length;
      if (isPaused && pendingBytes < LOW_WATER_BYTES) {
        isPaused = false;
        send(resumeFrame);
      }
    });
  };
}
