import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildTerminalImage, describeOnEngine, docker, makeNetwork, removeWhatWasMade, testLabel, uniqueName, until } from './engine';
import { startSession, type Session } from './session';

const TEST_LIMIT_MS = 180_000;

/** Answers every question with the address 192.0.2.7: an upstream resolver with a private address, as companies have. */
async function startResolver(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const end = question.indexOf(0, 12) + 5;
    const isAddress = question.readUInt16BE(end - 4) === 1;
    const head = Buffer.from([question[0] ?? 0, question[1] ?? 0, 0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0]);
    const answer = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    socket.send(Buffer.concat([head, question.subarray(12, end), isAddress ? answer : Buffer.alloc(0)]), from.port, from.address);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return socket;
}

describeOnEngine('a session’s isolation', () => {
  let image: string;
  let own: { name: string; gateway: string };
  let other: { name: string; gateway: string; subnet: string };
  let resolver: Socket;
  let web: Server;
  let webPort: number;
  let session: Session;
  let neighbour: Session;
  let trusting: Session;

  beforeAll(async () => {
    image = await buildTerminalImage();
    own = await makeNetwork(uniqueName('own'));
    other = await makeNetwork(uniqueName('other'));
    resolver = await startResolver(other.gateway);
    web = createServer((_request, response) => response.end('reached')).listen(0, '0.0.0.0');
    await once(web, 'listening');
    webPort = (web.address() as AddressInfo).port;
    const more = ['--dns', other.gateway];
    [session, neighbour, trusting] = await Promise.all([
      startSession({ image, network: own.name, more }),
      startSession({ image, network: own.name }),
      startSession({ image, network: own.name, env: { SESSION_EGRESS_ALLOW: `${other.subnet},fd12:3456::/32,172.16.0.0/12` } }),
    ]);
  }, 600_000);

  afterAll(async () => {
    resolver.close();
    web.close();
    await removeWhatWasMade([own.name, other.name]);
  }, TEST_LIMIT_MS);

  const reach = (from: Session, url: string) => from.run(`curl -s -m 2 ${url} || echo "curl says $?"`);

  it('lets nobody in but on ttyd’s port', async () => {
    const reachable = async (port: number) =>
      docker('run', '--rm', '--label', testLabel, '--network', own.name, '--entrypoint', 'curl', image, '-s', '-m', '2', '-o', '/dev/null', '-w', '%{http_code}', `http://${session.ip}:${port}${session.base}/`).catch(() => 'shut');
    await session.run('cd / && (python3 -m http.server 8000 > /dev/null 2>&1 &)');
    await until('the session’s own server answers itself', async () => (await reach(session, 'http://127.0.0.1:8000/etc/hostname')).startsWith('abcdef'));
    expect(await reach(session, `http://${session.ip}:8000/etc/hostname`)).toMatch(/^abcdef/);
    expect(await reachable(7681)).toBe('401');
    expect(await reachable(8000)).toBe('shut');
  }, TEST_LIMIT_MS);

  it('shuts the neighbours, by address and by name, and this machine’s address beside them', async () => {
    expect(await reach(session, `http://${neighbour.ip}:7681${neighbour.base}/`)).toBe('curl says 28');
    expect(await reach(session, `http://${neighbour.name}:7681${neighbour.base}/`)).toBe('curl says 28');
    expect(await reach(session, `http://${own.gateway}:${webPort}/`)).toBe('curl says 28');
  }, TEST_LIMIT_MS);

  it.each(['10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', '169.254.169.254'])('lets nothing out to %s', async (address) => {
    expect(await reach(session, `http://${address}/`)).toBe('curl says 28');
  }, TEST_LIMIT_MS);

  it('cannot be loosened from inside', async () => {
    const tries = ['nft flush ruleset', 'nft delete table inet vibe', 'unshare -rn true', 'ip link set lo down', 'mount -t tmpfs x /mnt'];
    for (const command of tries) await expect(session.run(command)).rejects.toThrow(/not permitted|denied|superuser/);
    expect(await docker('exec', session.name, 'nft', 'list', 'ruleset')).toContain('policy drop');
  }, TEST_LIMIT_MS);

  it('opens what SESSION_EGRESS_ALLOW names, and never the session’s own networks', async () => {
    expect(await reach(session, `http://${other.gateway}:${webPort}/`)).toBe('curl says 28');
    expect(await reach(trusting, `http://${other.gateway}:${webPort}/`)).toBe('reached');
    expect(await reach(trusting, `http://${neighbour.ip}:7681/`)).toBe('curl says 28');
    expect(await reach(trusting, `http://${own.gateway}:${webPort}/`)).toBe('curl says 28');
  }, TEST_LIMIT_MS);

  it('resolves names through a private resolver that the session itself cannot reach', async () => {
    expect(await session.run('getent ahostsv4 somewhere.example | head -n 1')).toContain('192.0.2.7');
    const asked = await session.run(`python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
s.sendto(bytes.fromhex('000101000001000000000000017807657861'+'6d706c650000010001'), ('${other.gateway}', 53))
print(s.recv(99))" 2>&1 || true`);
    expect(asked).toMatch(/timed out|not permitted/);
  }, TEST_LIMIT_MS);
});
