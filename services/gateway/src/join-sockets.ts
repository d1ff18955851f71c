import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { headersForContainer, headersFromContainer } from './websocket-headers';

export interface JoinOptions {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client sent behind its handshake. */
  readonly head: Buffer;
  readonly target: { readonly host: string; readonly port: number; readonly path: string; readonly authorization: string };
  /** Holds the name lookup. */
  readonly agent: Agent;
  /** From the first packet to the container's 101, in ms. */
  readonly limitMs: number;
  /** The 101 goes to the client now; from here on the end of one socket is the end of the other. */
  readonly onOpen: () => void;
  /**
   * The container is not there, is silent, answers anything but 101, or the client left. Called instead of `onOpen`, with
   * nothing written to the client yet; what is to be said must be written before it returns.
   */
  readonly onFail: (error: Error) => void;
}

/**
 * Hands a client's handshake to a container by http-proxy and joins the two sockets. http-proxy alone would pass on
 * whatever a container answers, set no limit to the handshake, and join the sockets by pipes, which do not see that one of
 * them was destroyed.
 */
export function joinToContainer({ request, socket, head, target, agent, limitMs, onOpen, onFail }: JoinOptions): void {
  let state: 'asking' | 'open' | 'failed' = 'asking';
  let toContainer: ClientRequest | undefined;
  const fail = (error: Error): void => {
    if (state === 'open') socket.destroy();
    if (state !== 'asking') return;
    state = 'failed';
    settle();
    toContainer?.destroy();
    onFail(error);
  };
  const onGone = (): void => fail(new Error('the client left'));
  const limit = setTimeout(() => fail(new Error('no handshake in time')), limitMs);
  const settle = (): void => {
    clearTimeout(limit);
    socket.off('close', onGone);
  };
  socket.once('close', onGone);

  const proxy = httpProxy.createProxyServer({ target: { protocol: 'http:', host: target.host, port: target.port }, agent });
  proxy.once('proxyReqWs', (asked: ClientRequest) => {
    toContainer = asked;
    // These listeners come before http-proxy's own, and decide what it gets to see.
    asked.once('response', (answer) => {
      // http-proxy writes to the client what is no upgrade, and leaves alone what says that it is one.
      Object.assign(answer, { upgrade: true });
      fail(new Error(`the container answered ${answer.statusCode ?? 'nothing'}`));
    });
    asked.once('upgrade', (answer, containerSocket) => {
      if (state !== 'asking') return void containerSocket.destroy();
      state = 'open';
      settle();
      answer.headers = headersFromContainer(answer.headers);
      endTogether(socket, containerSocket);
      endTogether(containerSocket, socket);
      onOpen();
    });
  });

  // An allow-list in place of what came: nothing the client sent reaches the container but the handshake.
  request.headers = headersForContainer(request.headers, { host: `${target.host}:${target.port}`, authorization: target.authorization });
  request.url = target.path;
  proxy.ws(request, socket, head, {}, fail);
}

/** When one side has ended, what it sent last is still delivered, then both are closed: nobody half-closes a WebSocket. */
function endTogether(one: Duplex, other: Duplex): void {
  one.once('end', () => other.once('finish', () => one.destroy()));
  one.once('close', () => {
    if (other.writableEnded && !other.writableFinished) other.once('finish', () => other.destroy());
    else other.destroy();
  });
}
