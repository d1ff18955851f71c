import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';

/** How a container may behave: like ttyd, or as badly as one likes. */
export type Manner = 'ttyd' | 'html' | 'silent' | 'hostile-headers' | 'dies';

export interface TtydStandIn {
  readonly port: number;
  /** The handshakes it saw, the last one last. */
  readonly seen: IncomingMessage[];
  manner: Manner;
  /** Cuts every socket without a goodbye. */
  cut(): void;
  /** Resolves when the socket that is open now has closed on this side. */
  closed(): Promise<void>;
  stop(): Promise<void>;
}

/** What stands in for ttyd: takes the Basic credential it is told, answers typed input with the same output. */
export async function startTtyd(basic: () => string): Promise<TtydStandIn> {
  const server = createServer((_request, response) => response.writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': 'evil=1' }).end('<script>evil()</script>'));
  const sockets = new Set<Duplex>();
  const terminals = new WebSocketServer({ noServer: true, handleProtocols: () => 'tty' });
  const standIn = { seen: [] as IncomingMessage[], manner: 'ttyd' as Manner };

  terminals.on('headers', (headers) => {
    if (standIn.manner === 'hostile-headers') headers.push('Set-Cookie: evil=1', 'Service-Worker-Allowed: /', 'X-Vibe-Route: label', 'Location: https://evil.example');
  });
  terminals.on('connection', (terminal) => {
    terminal.on('message', (data: Buffer) => {
      const frame = data.toString();
      if (frame.startsWith('{')) terminal.send('0$ ');
      else if (frame.startsWith('0')) terminal.send(data);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
    standIn.seen.push(request);
    if (standIn.manner === 'silent') return void socket.resume().once('end', () => socket.destroy());
    if (standIn.manner === 'dies') return void socket.destroy();
    if (standIn.manner === 'html') return void socket.end('HTTP/1.1 200 OK\r\nSet-Cookie: evil=1\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<evil>');
    if (request.headers.authorization !== basic()) return void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
    terminals.handleUpgrade(request, socket, head, (terminal) => terminals.emit('connection', terminal, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return Object.assign(standIn, {
    port: (server.address() as AddressInfo).port,
    cut: () => sockets.forEach((socket) => socket.destroy()),
    closed: async () => void (await Promise.all([...sockets].map((socket) => once(socket, 'close')))),
    stop: async () => {
      sockets.forEach((socket) => socket.destroy());
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
