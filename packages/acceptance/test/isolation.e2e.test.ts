import { scanCommand } from '../src/port-scan';
import { useLab } from './lab-fixture';

/** ssh, web, Docker and Swarm, our services, Traefik's inner door, the registry, Redis, ttyd, gossip. */
const PORTS = [22, 80, 443, 2375, 2376, 2377, 3000, 4789, 5000, 5001, 6379, 7681, 7946, 8080, 8082, 8443];

describe('from inside a session', () => {
  const fixture = useLab();

  it('nothing of ours is reached: no neighbour, no service, no node, no metadata (T1, T2, T3)', async () => {
    const person = await fixture.signIn('curious');
    // Three on two nodes: one of the neighbours, at least, may share a node and its bridge with somebody.
    const [mine, ...neighbours] = await Promise.all([person.create('mine'), person.create('a neighbour'), person.create('another')]);
    const own = await fixture.lab.addressesOf(await fixture.lab.containerOf(mine.id));
    const containers = await Promise.all(neighbours.map(({ id }) => fixture.lab.containerOf(id)));
    const theirs = await Promise.all(containers.map((container) => fixture.lab.addressesOf(container)));
    const neighbourAddress = theirs[0]?.overlay ?? '';
    const names = ['redis', 'registry', 'session-api', 'gateway', 'traefik', 'docker-view', 'tasks.vibe-state_redis', ...neighbours.map(({ id }) => `session-${id}`), ...containers.map(({ name }) => name)];
    // Every node numbers its bridge alike: what is mine here may be a neighbour's there.
    const others = [...theirs.flatMap(({ overlay, bridge }) => [overlay, bridge]), ...(await fixture.lab.everyAddress())].filter((address) => address !== own.overlay && address !== own.bridge);
    expect(others.length).toBeGreaterThan(5);
    const hosts = [...new Set([...others, ...names, '169.254.169.254'])];

    const terminal = await person.openTerminal(mine.id);
    const open = await terminal.run(scanCommand(['127.0.0.1', ...hosts], PORTS), { withinMs: 120_000 });
    // Its own ttyd shows that the scan sees what is open.
    expect(open.split('\n')).toEqual(['127.0.0.1:7681']);

    // And from where no rules stand in the way, the neighbour's ttyd is there: the address is right.
    const fromGateway = `const s = require("node:net").connect(7681, "${neighbourAddress}", () => { console.log("open"); s.destroy(); }); s.on("error", (e) => console.log(e.code)); s.setTimeout(5000, () => { console.log("silent"); s.destroy(); });`;
    expect(await fixture.lab.execInService('manager', 'vibe-edge_gateway', 'node', '-e', fromGateway)).toBe('open');
  });

  it('no privilege is left, and none can be had (T16)', async () => {
    const person = await fixture.signIn('curious');
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    const status = await terminal.run('grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):" /proc/self/status | tr -s "\\t" " "');
    expect(status.split('\n')).toEqual(expect.arrayContaining(['CapInh: 0000000000000000', 'CapPrm: 0000000000000000', 'CapEff: 0000000000000000', 'CapBnd: 0000000000000000', 'CapAmb: 0000000000000000', 'NoNewPrivs: 1']));
    expect(await terminal.run('id -u')).not.toBe('0');
    expect(await terminal.run('cat /run/secrets/ttyd')).toMatch(/Permission denied/);
    expect(await terminal.run('mount -t tmpfs none /mnt && echo mounted')).not.toContain('mounted');
    expect(await terminal.run('nft flush ruleset && echo flushed')).not.toContain('flushed');
    expect(await terminal.run('env | grep -iE "secret|password|credential|token"; tr "\\0" "\\n" < /proc/1/environ 2>&1 | grep -iE "secret|password"')).toBe('');
  });
});
