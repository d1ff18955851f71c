import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { TERMINAL_PORT, errorStatus, terminalSocketOf } from '@vibe/contracts';
import type { Logger, Registry } from '@vibe/platform';
import { CodedError } from '@vibe/platform';
import type { UpgradeOutcome } from './fallback-metrics';
import { createFallbackMetrics } from './fallback-metrics';
import { joinToContainer } from './join-sockets';
import { patientLookup } from './patient-lookup';
import { refuseUpgrade } from './raw-answers';
import type { OpenTerminal, TerminalAccess } from './terminal-access';

export interface FallbackOptions {
  readonly access: TerminalAccess;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly stopping: AbortSignal;
  /** How the task's name becomes an address; the system's, asked patiently, unless told. */
  readonly lookup?: LookupFunction;
  readonly port?: number;
  /** From the first packet to the container's 101, in ms. */
  readonly handshakeLimitMs?: number;
}

const HANDSHAKE_LIMIT_MS = 5_000;

/**
 * The road to a terminal that Traefik does not know yet: checks what ForwardAuth checks and joins the socket to the task by
 * its DNS name. Every upgraded socket is ours from its first moment and closed when we stop.
 */
export class FallbackProxy {
  private readonly sockets = new Set<Duplex>();
  private readonly metrics;
  private readonly agent;

  constructor(private readonly options: FallbackOptions) {
    this.metrics = createFallbackMetrics(options.registry);
    this.agent = new Agent({ lookup: options.lookup ?? patientLookup() });
  }

  /** Takes an upgrade; for `server.on('upgrade', …)`. Never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // First of all: a socket without an error listener ends the process when the other side vanishes.
    socket.on('error', () => socket.destroy());
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    void this.open(request, socket, head);
  }

  /** Closes every socket; pages come back by themselves. Resolves when all are closed. */
  async closeAll(): Promise<void> {
    const closing = [...this.sockets].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closing);
    this.agent.destroy();
  }

  private async open(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (!isTerminalUpgrade(request)) return this.refuse(socket, 'unclaimed', errorStatus.not_found);
    try {
      const terminal = await this.options.access({ headers: request.headers, method: request.method, path: request.url });
      if (this.options.stopping.aborted) return this.refuse(socket, 'unavailable', errorStatus.unavailable);
      if (!socket.destroyed) this.join(terminal, request, socket, head);
    } catch (error) {
      this.refuseFor(error, socket);
    }
  }

  private refuseFor(error: unknown, socket: Duplex): void {
    const coded = error instanceof CodedError ? error : undefined;
    const status = coded && (errorStatus as Readonly<Record<string, number>>)[coded.code];
    if (status === undefined) this.options.logger.error('upgrade failed unexpectedly', { error });
    const outcome = status === undefined ? 'failed' : status >= 500 ? 'unavailable' : 'refused';
    this.refuse(socket, outcome, status ?? errorStatus.internal, coded?.retryAfterS);
  }

  private refuse(socket: Duplex, outcome: UpgradeOutcome, status: number, retryAfterS?: number): void {
    this.metrics.upgrades.inc({ outcome });
    refuseUpgrade(socket, status, retryAfterS);
  }

  private join(terminal: OpenTerminal, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const logger = this.options.logger.child({ session_id: terminal.id, gen: terminal.gen, user_id: terminal.userId });
    const startedAt = performance.now();
    const elapsedMs = (): number => Math.round(performance.now() - startedAt);
    joinToContainer({
      request,
      socket,
      head,
      target: {
        host: terminal.taskName,
        port: this.options.port ?? TERMINAL_PORT,
        path: terminalSocketOf(terminal.id, terminal.gen),
        authorization: terminal.credential.basic,
      },
      agent: this.agent,
      limitMs: this.options.handshakeLimitMs ?? HANDSHAKE_LIMIT_MS,
      onOpen: () => {
        this.metrics.upgrades.inc({ outcome: 'opened' });
        this.metrics.openSockets.inc();
        logger.info('terminal socket opened', { ms: elapsedMs() });
        socket.once('close', () => {
          this.metrics.openSockets.dec();
          logger.info('terminal socket closed', { ms: elapsedMs() });
        });
      },
      onFail: (error) => {
        logger.warn('terminal socket failed', { error, ms: elapsedMs() });
        this.refuse(socket, 'unreachable', errorStatus.bad_gateway);
      },
    });
  }
}

/** True for a WebSocket to a terminal; which one, and whose, is judged elsewhere. */
function isTerminalUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket' && (request.url ?? '').startsWith('/ttyd/');
}
