import { eventually } from '../src/eventually';
import { report, useLab } from './lab-fixture';

const REGISTRY = 'vibe-state_registry';
const TOLD_MS = 120_000;

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
});
