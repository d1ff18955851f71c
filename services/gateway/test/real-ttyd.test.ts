import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { LookupFunction } from 'node:net';
import { TERMINAL_PORT, terminalBaseOf } from '@vibe/contracts';
import { terminalCredential } from '@vibe/identity';
import type WebSocket from 'ws';
import type { FrontDoor } from './front-door';
import { OURS, TERMINAL_KEY, cookieOf, openFrontDoor, openSocket, runningSession, socketOf } from './front-door';

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** A local image with ttyd in it, or null where there is none or no Engine. */
function sessionImage(): string | null {
  try {
    return docker('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'reference=vibe-terminal').split('\n')[0] || null;
  } catch {
    return null;
  }
}

const image = sessionImage();
const session = runningSession();
const { basic, authToken } = terminalCredential(TERMINAL_KEY, session.id, session.gen);

(image === null ? describe.skip : describe)(`the fallback in front of real ttyd (${image ?? 'skipped: no Engine, or no image vibe-terminal'})`, () => {
  let container: string;
  let door: FrontDoor;

  beforeAll(async () => {
    const credential = Buffer.from(authToken, 'base64').toString();
    container = docker('run', '--detach', '--rm', '--entrypoint', 'ttyd', image as string, '-W', '-b', terminalBaseOf(session.id, session.gen), '-p', String(TERMINAL_PORT), '-c', credential, 'bash', '--noprofile', '--norc');
    const address = docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', container);
    const lookup: LookupFunction = (_name, options, callback) => (options.all === true ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4));
    door = await openFrontDoor({ lookup, ttydPort: TERMINAL_PORT, handshakeLimitMs: 10_000 });
    door.sessions.add(session);
    await untilListening(address);
  });
  afterAll(async () => {
    await door.close();
    docker('kill', container);
  });

  const untilListening = async (address: string): Promise<void> => {
    for (;;) {
      const answer = await fetch(`http://${address}:${TERMINAL_PORT}${terminalBaseOf(session.id, session.gen)}/`, { headers: { authorization: basic } }).catch(() => null);
      if (answer?.ok) return;
    }
  };

  /** Gathers what the terminal prints; `shows` resolves once the text is in it. */
  const screenOf = (socket: WebSocket) => {
    let output = '';
    socket.on('message', (frame: Buffer) => {
      if (frame.toString().startsWith('0')) output += frame.toString().slice(1);
    });
    return {
      shows: async (text: string): Promise<void> => {
        while (!output.includes(text)) await once(socket, 'message');
      },
    };
  };

  it('runs what is typed and shows what it prints', async () => {
    const opened = await openSocket(door.port, socketOf(session), { cookie: cookieOf('ada'), origin: OURS });
    if (!('socket' in opened)) throw new Error(`refused with ${opened.status}`);
    const { socket, headers } = opened;
    expect([socket.protocol, headers['x-vibe-route']]).toEqual(['tty', 'fallback']);
    const screen = screenOf(socket);
    socket.send(Buffer.from(JSON.stringify({ AuthToken: authToken, columns: 80, rows: 24 })));
    await screen.shows('# ');
    socket.send(Buffer.from('0echo six times seven is $((6*7))\r'));
    await screen.shows('is 42');
    socket.terminate();
  });

  it('is refused by ttyd at another generation, so a stale packet opens nothing', async () => {
    door.sessions.add({ ...session, gen: 2 });
    expect(await openSocket(door.port, socketOf(session, 2), { cookie: cookieOf('ada'), origin: OURS })).toMatchObject({ status: 502, body: '' });
  });
});
