import { eventually } from '../src/eventually';
import { report, useLab } from './lab-fixture';

const REGISTRY = 'vibe-state_registry';
const TOLD_MS = 120_000;
/** Enough that a push lasts longer than it takes to hear of it and kill the registry. */
const MEGABYTES = 300;

describe('while the registry is away', () => {
  const fixture = useLab();

  const scaleTo = (replicas: number): Promise<string> => fixture.lab.exec('manager', 'docker', 'service', 'scale', '--detach', `${REGISTRY}=${replicas}`);
  const isThere = async (): Promise<boolean> => (await fixture.lab.shell('manager', 'docker ps --quiet --filter "label=com.docker.swarm.service.name=$1" --filter health=healthy', REGISTRY)) !== '';
  afterEach(async () => {
    await scaleTo(1);
    await eventually('the registry is there', isThere, { withinMs: TOLD_MS });
  });

  it('what falls asleep is thawed and goes on in the same shell, what sleeps stays asleep and safe, both say why; afterwards both go their way (F8, F11)', async () => {
    const person = await fixture.signIn('patient');
    const [awake, asleep] = [await person.create('awake'), await person.create('asleep')];
    const hash = await person.runIn(asleep.id, 'head -c 1000000 /dev/urandom > data.bin; sha256sum data.bin | cut -c1-64');
    await person.sleep(asleep.id);
    const terminal = await person.openTerminal(awake.id);
    const pid = await terminal.run('echo kept > note.txt; echo $$');

    await scaleTo(0);
    await eventually('the registry is gone', async () => !(await isThere()), { withinMs: TOLD_MS });
    const startedAt = performance.now();
    await person.api.hibernate(awake.id);
    await person.api.open(asleep.id);
    const thawed = await person.events.until(awake.id, 'it goes on running and says why', ({ session }) => session?.state === 'running' && (session.reason ?? '').includes('could not be stored safely'), { withinMs: TOLD_MS });
    report(`thawed ${((performance.now() - startedAt) / 1_000).toFixed(1)} s after it was asked to sleep without a registry`);
    expect(thawed.session?.retry_after).not.toBeNull();
    expect(await terminal.run('echo $$; cat note.txt')).toBe(`${pid}\nkept`);
    await person.events.until(asleep.id, 'it sleeps on and says why', ({ session }) => session?.state === 'hibernated' && (session.reason ?? '').includes('cannot be reached'), { withinMs: TOLD_MS });
    await eventually('its failed generation is retired', async () => (await fixture.lab.servicesAndSecretsOf(asleep.id)).length === 0, { withinMs: TOLD_MS });

    await scaleTo(1);
    await eventually('the registry is there', isThere, { withinMs: TOLD_MS });
    await person.sleep(awake.id);
    expect(await person.runIn(asleep.id, 'sha256sum data.bin | cut -c1-64')).toBe(hash);
    expect(await person.runIn(awake.id, 'cat note.txt')).toBe('kept');
  });

  it('and it is killed in the middle of a push, the session goes on or sleeps later with all it had; what the registry gives out is whole (F9)', async () => {
    const { lab } = fixture;
    const person = await fixture.signIn('pushing');
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    const hash = await terminal.run(`head -c ${MEGABYTES}M /dev/urandom > ~/big.bin; sha256sum < ~/big.bin`, { withinMs: 60_000 });
    const pid = await terminal.run('echo $$');
    const { node } = await lab.containerOf(id);

    const killInMidPush = async (): Promise<void> => {
      await person.api.hibernate(id);
      await person.events.until(id, 'it is pushed', ({ session }) => session?.step === 'pushing', { withinMs: 60_000 });
      await lab.shell('manager', 'docker kill "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$1")"', REGISTRY);
      expect(person.events.latest(id)?.session?.step).toBe('pushing');
    };
    await killInMidPush();
    await scaleTo(0);
    const killedAt = performance.now();
    await person.events.until(id, 'it goes on running and says why', ({ session }) => session?.state === 'running' && session.reason !== null, { withinMs: TOLD_MS });
    report(`thawed ${((performance.now() - killedAt) / 1_000).toFixed(1)} s after the registry was killed in mid-push and stayed away`);
    expect(await terminal.run('echo $$; sha256sum < ~/big.bin')).toBe(`${pid}\n${hash}`);
    await scaleTo(1);
    await eventually('the registry is there', isThere, { withinMs: TOLD_MS });

    // Where Swarm starts it again at once, the Engine may push on, and the attempt come to its end.
    await killInMidPush();
    const { session } = await person.events.until(id, 'the attempt has ended', ({ session: seen }) => seen?.state === 'running' || seen?.state === 'hibernated', { withinMs: TOLD_MS });
    report(`${session?.state ?? 'removed'} after it was killed in mid-push and started again`);
    await eventually('the registry is there', isThere, { withinMs: TOLD_MS });
    if (session?.state === 'running') await person.sleep(id);

    // Another node has nothing of it: all it wakes with comes from the registry.
    const woken = await lab.withoutNewcomers(node, () => person.runIn(id, 'sha256sum < ~/big.bin'));
    expect(woken).toBe(hash);
    expect((await lab.containerOf(id)).node).not.toBe(node);
  });
});
