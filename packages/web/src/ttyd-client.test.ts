import { FakeTimers } from '../test/session-fixture';
import { TtydClient, type SocketStatus, type TtydSocket } from './ttyd-client';

class FakeSocket implements TtydSocket {
  binaryType = 'blob';
  readyState = 0;
  isClosed = false;
  readonly sent: string[] = [];
  onopen: TtydSocket['onopen'] = null;
  onmessage: TtydSocket['onmessage'] = null;
  onclose: TtydSocket['onclose'] = null;

  constructor(readonly path: string) {}

  send(data: Uint8Array): void {
    this.sent.push(new TextDecoder().decode(data));
  }

  close(): void {
    this.isClosed = true;
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.({} as Event);
  }

  receive(text: string): void {
    this.onmessage?.({ data: new TextEncoder().encode(text).buffer } as MessageEvent);
  }

  break(): void {
    this.readyState = 3;
    this.onclose?.({} as CloseEvent);
  }
}

function setUp() {
  const timers = new FakeTimers();
  const sockets: FakeSocket[] = [];
  const statuses: SocketStatus[] = [];
  const screen = { text: '', fresh: 0, undrawn: [] as (() => void)[], size: { columns: 80, rows: 24 } };
  const client = new TtydClient({
    openSocket: (path) => {
      const socket = new FakeSocket(path);
      sockets.push(socket);
      return socket;
    },
    schedule: timers.schedule,
    now: () => timers.now,
    random: () => 0.5,
    size: () => screen.size,
    onFresh: () => {
      screen.fresh += 1;
      screen.text = '';
    },
    onOutput: (bytes, done) => {
      screen.text += new TextDecoder().decode(bytes);
      screen.undrawn.push(done);
    },
    onStatus: (status) => statuses.push(status),
  });
  const last = (): FakeSocket => sockets[sockets.length - 1] ?? fail();
  const connect = (): FakeSocket => {
    client.connect('/ttyd/a/g1/ws', 'token');
    last().accept();
    last().receive('1shell');
    return last();
  };
  return { client, timers, sockets, statuses, screen, last, connect };
}

function fail(): never {
  throw new Error('no socket was opened');
}

const kinds = (statuses: readonly SocketStatus[]): string[] => statuses.map((status) => status.kind);

it('says who it is and how large the window is, before anything else', () => {
  const { client, last } = setUp();
  client.connect('/ttyd/a/g1/ws', 'token');
  expect(last().sent).toEqual([]);
  last().accept();
  expect(last().binaryType).toBe('arraybuffer');
  expect(last().sent.map((frame) => JSON.parse(frame) as unknown)).toEqual([{ AuthToken: 'token', columns: 80, rows: 24 }]);
});

it('is open with the first frame, shows output, leaves titles and preferences aside', () => {
  const { screen, statuses, connect } = setUp();
  const socket = connect();
  socket.receive('0hello ✓');
  socket.receive('2{"fontSize": 99}');
  expect(screen).toMatchObject({ text: 'hello ✓', fresh: 1 });
  expect(kinds(statuses)).toEqual(['connecting', 'open']);
});

it('sends keys, raw bytes and sizes as frames, and says when a key was not taken', () => {
  const { client, connect } = setUp();
  expect(client.type('x')).toBe(false);
  const socket = connect();
  socket.sent.length = 0;
  expect(client.type('ls é\r')).toBe(true);
  client.typeBinary('\x01a');
  client.resize({ columns: 100, rows: 30 });
  expect(socket.sent).toEqual(['0ls é\r', '0\x01a', '1{"columns":100,"rows":30}']);
});

it('takes no key before the shell has shown a sign of life', () => {
  const { client, last } = setUp();
  client.connect('/ttyd/a/g1/ws', 'token');
  last().accept();
  expect(client.type('rm')).toBe(false);
});

it('makes a new socket to the same place when one breaks, slower each time, and forgets the old screen', () => {
  const { timers, sockets, screen, statuses, connect } = setUp();
  connect().receive('0old');
  sockets[0]?.break();
  expect(statuses.at(-1)).toEqual({ kind: 'waiting', attempt: 1, until: timers.now + 500 });
  timers.pass(500);
  sockets[1]?.break();
  timers.pass(999);
  expect(sockets).toHaveLength(2);
  timers.pass(1);
  expect(sockets.map((socket) => socket.path)).toEqual(['/ttyd/a/g1/ws', '/ttyd/a/g1/ws', '/ttyd/a/g1/ws']);
  sockets[2]?.accept();
  sockets[2]?.receive('0new');
  expect(screen.text).toBe('new');
  sockets[2]?.break();
  expect(statuses.at(-1)).toMatchObject({ kind: 'waiting', until: timers.now + 500 });
});

it('gives up a socket on which nothing is said, as with a wrong token', () => {
  const { client, timers, last, sockets } = setUp();
  client.connect('/ttyd/a/g1/ws', 'wrong');
  last().accept();
  timers.pass(10_500);
  expect(sockets[0]?.isClosed).toBe(true);
  expect(sockets).toHaveLength(2);
});

it('reconnects at once when the person is there', () => {
  const { client, sockets, connect } = setUp();
  connect().break();
  client.hurry();
  expect(sockets).toHaveLength(2);
  client.hurry();
  expect(sockets).toHaveLength(2);
});

it('stays on its socket when told to connect to where it is', () => {
  const { client, sockets, connect } = setUp();
  connect();
  client.connect('/ttyd/a/g1/ws', 'token');
  expect(sockets).toHaveLength(1);
  client.connect('/ttyd/a/g2/ws', 'token');
  expect(sockets.map((socket) => socket.isClosed)).toEqual([true, false]);
});

it('held, takes no key, keeps its socket, makes no new one; connected again, goes on', () => {
  const { client, timers, sockets, screen, connect } = setUp();
  const socket = connect();
  client.hold();
  expect(client.type('lost?')).toBe(false);
  screen.size = { columns: 120, rows: 40 };
  socket.sent.length = 0;
  client.connect('/ttyd/a/g1/ws', 'token');
  expect(client.type('kept')).toBe(true);
  expect(socket.sent).toEqual(['1{"columns":120,"rows":40}', '0kept']);
  client.hold();
  socket.break();
  timers.pass(60_000);
  expect(sockets).toHaveLength(1);
  client.connect('/ttyd/a/g1/ws', 'token');
  expect(sockets).toHaveLength(2);
});

it('dropped, closes, empties the screen and never comes back by itself', () => {
  const { client, timers, sockets, statuses, connect } = setUp();
  connect();
  client.drop();
  client.drop();
  client.hurry();
  timers.pass(60_000);
  expect(sockets.map((socket) => socket.isClosed)).toEqual([true]);
  expect(kinds(statuses)).toEqual(['connecting', 'open', 'closed']);
});

it('lets the shell wait while the browser is behind, and go on when it has caught up', () => {
  const { screen, connect } = setUp();
  const socket = connect();
  socket.sent.length = 0;
  for (let n = 0; n < 6; n += 1) socket.receive(`0${'x'.repeat(100_000)}`);
  expect(socket.sent).toEqual(['2']);
  while (screen.undrawn.length > 2) screen.undrawn.shift()?.();
  expect(socket.sent).toEqual(['2']);
  screen.undrawn.shift()?.();
  expect(socket.sent).toEqual(['2', '3']);
});

it('pays no attention to a socket it has left', () => {
  const { client, screen, sockets, connect } = setUp();
  const old = connect();
  const { onmessage, onclose } = old;
  client.connect('/ttyd/a/g2/ws', 'token');
  onmessage?.({ data: new TextEncoder().encode('0ghost').buffer } as MessageEvent);
  onclose?.({} as CloseEvent);
  expect(screen.text).toBe('');
  expect(sockets).toHaveLength(2);
});
