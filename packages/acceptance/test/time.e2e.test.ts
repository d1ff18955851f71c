import { eventually } from '../src/eventually';
import { moveClock, resetClock } from '../src/lab-clock';
import { TerminalClient } from '../src/terminal-client';
import { report, useLab } from './lab-fixture';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Between two connections of a tab on a bad line: seldom enough that the screens drawn for it are not the session's work. */
const RECONNECT_MS = 3_000;

describe('as time passes', () => {
  const fixture = useLab();
  afterEach(() => resetClock(fixture.lab));

  it('a session nobody uses is frozen, saved, proven and removed; neither a tab that stays open nor one that connects again and again keeps it awake (F24)', async () => {
    const person = await fixture.signIn('idle');
    const { limits } = await person.api.must<{ limits: { idle_timeout_minutes: number } }>([200], 'GET', '/api/me');
    const { id } = await person.create();
    const { terminal: address } = await person.api.open(id);
    if (!address) throw new Error(`session ${id} runs, but open gave no terminal`);
    const tab = await person.openTerminal(id);
    await tab.run('echo kept > note.txt; head -c 60M /dev/zero | tr "\\0" x > /dev/null');
    const pid = await fixture.lab.containerOf(id).then(({ node, containerId }) => fixture.lab.exec(node, 'docker', 'inspect', '-f', '{{.State.Pid}}', containerId));
    expect(Number(pid)).toBeGreaterThan(1);

    // The clock of every decision goes on by the timeout; the terminal's own last key press is dated back as far.
    const aheadMs = (limits.idle_timeout_minutes + 1) * MINUTE_MS;
    await tab.run(`touch -a -d "-${Math.ceil(aheadMs / 1_000)} seconds" "$(tty)"`);
    await moveClock(fixture.lab, aheadMs);
    const startedAt = performance.now();
    // As a page's socket does by itself: at the address it was given, and without a call of `open`, which only a person makes.
    let [again, reconnects]: [TerminalClient | undefined, number] = [undefined, 0];
    const hibernating = await eventually('it falls asleep although a tab comes and goes', async () => {
      const asleep = person.events.sightingsOf(id).find(({ session }) => session?.state === 'hibernating');
      again?.close();
      if (asleep) return asleep.session;
      again = await TerminalClient.connect(fixture.installation, address, { token: person.token, withinMs: RECONNECT_MS });
      await again.untilPrompt({ withinMs: RECONNECT_MS });
      reconnects += 1;
      return undefined;
    }, { withinMs: 200_000, everyMs: RECONNECT_MS });
    expect(hibernating.hibernate_reason).toBe('idle');
    expect(reconnects).toBeGreaterThan(2);
    await person.events.untilState(id, 'hibernated', { withinMs: 120_000 });
    report(`asleep ${((performance.now() - startedAt) / 1_000).toFixed(1)} s after its time was over, with ${reconnects} reconnects meanwhile`);
    await eventually('its container and service are gone, its memory is back', async () => (await fixture.lab.containersOf(id)).length === 0 && (await fixture.lab.servicesAndSecretsOf(id)).length === 0, { withinMs: 60_000 });
    await tab.untilClosed({ withinMs: 30_000 });

    expect(await person.runIn(id, 'cat note.txt')).toBe('kept');
  });

  it('a session somebody types in is never put to sleep, whatever the clock says (F24)', async () => {
    const person = await fixture.signIn('busy');
    const { limits } = await person.api.must<{ limits: { idle_timeout_minutes: number } }>([200], 'GET', '/api/me');
    const { id } = await person.create();
    const idle = await person.create('the sentinel');
    const [terminal, other] = [await person.openTerminal(id), await person.openTerminal(idle.id)];
    const pid = await terminal.run('echo $$');
    const aheadMs = (limits.idle_timeout_minutes + 1) * MINUTE_MS;
    await other.run(`touch -a -d "-${Math.ceil(aheadMs / 1_000)} seconds" "$(tty)"`);
    await terminal.run('echo here I am');
    await moveClock(fixture.lab, aheadMs);
    // When the sentinel sleeps, the sweep has been there.
    await person.events.untilState(idle.id, 'hibernated', { withinMs: 240_000 });
    expect(await terminal.run('echo $$')).toBe(pid);
    expect(person.events.sightingsOf(id).some(({ session }) => session?.state === 'hibernated')).toBe(false);
    await person.events.untilState(id, 'running', { withinMs: 30_000 });
  });

  it('a session that slept too long is deleted, with its image in the registry and on every node', async () => {
    const person = await fixture.signIn('expired');
    const { limits } = await person.api.must<{ limits: { hibernated_ttl_days: number } }>([200], 'GET', '/api/me');
    const { id } = await person.create();
    await person.runIn(id, 'echo "soon forgotten" > note.txt');
    await person.sleep(id);
    expect(await fixture.lab.tagsInRegistry(`vibe-session-${id}`)).toHaveLength(1);
    expect(await fixture.lab.snapshotsOnNodes(id)).not.toEqual([]);

    await moveClock(fixture.lab, limits.hibernated_ttl_days * DAY_MS + MINUTE_MS);
    await person.events.untilRemoved(id, { withinMs: 180_000 });
    expect(await fixture.lab.tagsInRegistry(`vibe-session-${id}`)).toEqual([]);
    expect(await fixture.lab.snapshotsOnNodes(id)).toEqual([]);
    expect(await fixture.lab.servicesAndSecretsOf(id)).toEqual([]);
    expect((await person.api.send('GET', `/api/sessions/${id}`)).status).toBe(404);
  });
});
