import { eventually } from '../src/eventually';
import { useLab } from './lab-fixture';

/** Everything a snapshot's environment may name: what the image and our service spec set. */
const ALLOWED_ENV_KEYS = ['PATH', 'VIBE_BASE', 'SESSION_EGRESS_ALLOW', 'LANG', 'LC_ALL', 'TERM', 'HOSTNAME', 'HOME'];

describe('a session that is put to sleep', () => {
  const fixture = useLab();

  it('is frozen, committed, pushed and proven, and then has no container, service or secret', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    await person.runIn(id, 'echo "before the sleep" > note.txt; sync');
    const container = await fixture.lab.containerOf(id);

    const asleep = await person.sleep(id);
    expect(asleep).toMatchObject({ generation: 1, snapshot_bytes: expect.any(Number) as number, hibernate_reason: 'asked' });
    expect(asleep.expires_at).not.toBeNull();
    const steps = person.events.sightingsOf(id).map(({ session }) => session?.step);
    const inOrder = ['freezing', 'committing', 'pushing', 'proving'].map((step) => steps.indexOf(step));
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
    expect(inOrder).not.toContain(-1);

    await eventually('the container, its service and its secret are gone', async () => (await fixture.lab.containersOf(id)).length === 0 && (await fixture.lab.servicesAndSecretsOf(id)).length === 0, { withinMs: 60_000 });
    // Its memory is given back with its control group.
    const groups = await fixture.lab.shell(container.node, 'find /sys/fs/cgroup -type d -name "*$1*" | wc -l', container.containerId);
    expect(groups).toBe('0');
    expect(await fixture.lab.tagsInRegistry(`vibe-session-${id}`)).toEqual([expect.stringMatching(/^g1-r\d+-[a-z0-9]{8}$/)]);
  });

  it('comes back on the node that has its layers, at the next generation, with its files', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const hash = await person.runIn(id, 'head -c 5000000 /dev/urandom > data.bin; chmod 640 data.bin; mkdir -p a/b; ln -s ../data.bin a/link; sha256sum data.bin | cut -c1-64');
    const { node } = await fixture.lab.containerOf(id);
    await person.sleep(id);

    const terminal = await person.openTerminal(id);
    expect(await terminal.run('sha256sum data.bin | cut -c1-64; stat -c %a data.bin; readlink a/link')).toBe([hash, '640', '../data.bin'].join('\n'));
    const woken = await fixture.lab.containerOf(id);
    expect(woken).toMatchObject({ node, generation: 2 });
    expect(person.events.latest(id)?.session).toMatchObject({ state: 'running', generation: 2, expires_at: null });
  });

  it('comes back on another node when the first is drained', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const hash = await person.runIn(id, 'head -c 3000000 /dev/urandom > data.bin; sha256sum data.bin | cut -c1-64');
    const { node } = await fixture.lab.containerOf(id);
    await person.sleep(id);
    await fixture.lab.exec('manager', 'docker', 'node', 'update', '--availability', 'drain', node);
    try {
      const terminal = await person.openTerminal(id);
      expect(await terminal.run('sha256sum data.bin | cut -c1-64')).toBe(hash);
      const woken = await fixture.lab.containerOf(id);
      // One generation more when it was first tried on the node that nobody knew yet to be drained.
      expect(woken.generation).toBeGreaterThan(1);
      expect(woken.node).not.toBe(node);
    } finally {
      await fixture.lab.exec('manager', 'docker', 'node', 'update', '--availability', 'active', node);
    }
  });

  it('sleeps and wakes again, and keeps one snapshot: the newest', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    await person.runIn(id, 'echo one > story.txt');
    await person.sleep(id);
    await person.runIn(id, 'echo two >> story.txt');
    await person.sleep(id);
    expect(await person.runIn(id, 'tr "\\n" " " < story.txt')).toBe('one two');
    expect(person.events.latest(id)?.session?.generation).toBe(3);
    await eventually('only the newest snapshot is kept', async () => {
      const tags = await fixture.lab.tagsInRegistry(`vibe-session-${id}`);
      return tags.length === 1 && tags[0]?.startsWith('g2-');
    }, { withinMs: 120_000, everyMs: 2_000 });
  });

  it('is thawed when its user returns during the push: same shell, its programs go on, nothing is lost (F6)', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    const pid = await terminal.run('echo $$');
    // Enough that nobody compresses and pushes it between the event and the call.
    await terminal.run('head -c 200M /dev/urandom > big.bin; sync', { withinMs: 60_000 });
    terminal.type('counter=41; echo "$counter" > typed.txt\r');
    await terminal.run('cat typed.txt');
    const before = await fixture.lab.containerOf(id);

    await person.api.hibernate(id);
    await person.events.until(id, 'the push goes on', ({ session }) => session?.step === 'pushing', { withinMs: 60_000 });
    expect((await fixture.lab.containerOf(id)).state).toBe('paused');
    await person.api.open(id);
    await person.events.untilState(id, 'running', { withinMs: 30_000 });

    const again = await person.openTerminal(id);
    expect(await again.run('echo "$$ $counter $(cat typed.txt)"')).toBe(`${pid} 41 41`);
    expect(await fixture.lab.containerOf(id)).toMatchObject({ containerId: before.containerId, state: 'running' });
    expect(person.events.latest(id)?.session).toMatchObject({ state: 'running', generation: 1 });
    expect(person.events.sightingsOf(id).some(({ session }) => session?.state === 'hibernated')).toBe(false);
  });

  it('leaves no secret in its snapshot: not in the configuration, not in the layers (T13)', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const { terminal } = await person.api.open(id);
    const token = terminal?.auth_token ?? '';
    const password = Buffer.from(token, 'base64').toString().split(':')[1] ?? '';
    expect(password).toMatch(/^[\w-]{40,}$/);
    await person.runIn(id, 'echo canary > note.txt');
    const { node } = await fixture.lab.containerOf(id);
    await person.sleep(id);

    const [image = ''] = (await fixture.lab.snapshotsOnNodes(id)).filter((at) => at.startsWith(`${node} `)).map((at) => at.split(' ')[1] ?? '');
    expect(image).not.toBe('');
    const config = JSON.parse(await fixture.lab.exec(node, 'docker', 'image', 'inspect', image)) as [{ Config: { Env: string[]; Labels: Record<string, string> } }];
    const keys = config[0].Config.Env.map((variable) => variable.split('=')[0]);
    expect(keys.filter((key) => !ALLOWED_ENV_KEYS.includes(key ?? ''))).toEqual([]);
    const labels = Object.keys(config[0].Config.Labels);
    expect(labels.filter((label) => !label.startsWith('vibe.') && !label.startsWith('traefik.') && !label.startsWith('com.docker.'))).toEqual([]);

    const login = await fixture.lab.shell('manager', 'cat /etc/vibeswarm/registry-login');
    const secrets = [token, password, ...[...login.matchAll(/"password" *: *"([^"]+)"/g)].map(([, found]) => found ?? '')];
    expect(secrets).toHaveLength(3);
    for (const secret of secrets) {
      const found = await fixture.lab.shell(node, '{ docker image inspect "$1"; docker history --no-trunc "$1"; docker save "$1"; } | grep -acF -- "$2" || true', image, secret);
      expect(found).toBe('0');
    }
    // The search can find: the file the user made is in there.
    const canary = await fixture.lab.shell(node, 'docker save "$1" | grep -acF note.txt || true', image);
    expect(Number(canary)).toBeGreaterThan(0);
  });
});
