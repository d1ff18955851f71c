import type { ApiErrorBody } from '../src/api-client';
import { eventually } from '../src/eventually';
import { agentsAreRested } from '../src/lab-clock';
import { connectAtOnce } from '../src/routes-to-a-terminal';
import { report, useLab } from './lab-fixture';

const PROMISED_MS = 5_000;

describe('a session whose container died', () => {
  const fixture = useLab();
  // Whatever the files before this one did to Redis.
  beforeAll(() => agentsAreRested(fixture.lab), 150_000);

  it('is lost within 5 s, with the reason, and is never replaced by an empty one (F18)', async () => {
    const person = await fixture.signIn('unlucky');
    const { id } = await person.create();
    await person.runIn(id, 'echo "gone with it" > note.txt');
    const { node, containerId } = await fixture.lab.containerOf(id);

    const killedAt = performance.now();
    await fixture.lab.exec(node, 'docker', 'kill', '--signal', 'KILL', containerId);
    const lost = await person.events.until(id, 'it is lost', ({ session }) => session?.state === 'lost', { withinMs: 60_000 });
    const tookMs = lost.atMs - killedAt;
    report(`lost ${(tookMs / 1_000).toFixed(2)} s after the kill was asked for`);
    expect(tookMs).toBeLessThan(PROMISED_MS);
    expect(lost.session?.reason).toEqual(expect.stringMatching(/\w+/));
    expect(lost.session?.expires_at).not.toBeNull();

    const opened = await person.api.send<ApiErrorBody>('POST', `/api/sessions/${id}/open`, { json: {} });
    expect([opened.status, opened.body.error.code]).toEqual([410, 'gone']);
    await eventually('its service is gone', async () => (await fixture.lab.servicesAndSecretsOf(id)).length === 0, { withinMs: 60_000 });
    // The Swarm has started the next session since: had it wanted to replace this one, it would have.
    await person.create('the sentinel');
    const left = await fixture.lab.containersOf(id);
    expect(left.filter(({ state }) => state !== 'exited' && state !== 'dead')).toEqual([]);
    expect(await person.api.get(id)).toMatchObject({ state: 'lost', generation: 1 });
  });

  it('uses up none of its user\'s places', async () => {
    const person = await fixture.signIn('unlucky');
    const { limits } = await person.api.must<{ limits: { max_sessions: number } }>([200], 'GET', '/api/me');
    const { id } = await person.create();
    const { node, containerId } = await fixture.lab.containerOf(id);
    await fixture.lab.exec(node, 'docker', 'kill', '--signal', 'KILL', containerId);
    await person.events.until(id, 'it is lost', ({ session }) => session?.state === 'lost');
    const others = await Promise.all(Array.from({ length: limits.max_sessions }, () => person.create()));
    expect(others).toHaveLength(limits.max_sessions);
  });

  it('is not lost when only its shell ended: the terminal is there with a new one', async () => {
    const person = await fixture.signIn('careless');
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    const pid = await terminal.run('echo $$');
    terminal.type('echo good-bye; exit\r');
    await terminal.expect(/^good-bye$/m);
    terminal.close();
    const next = await eventually('another shell answers', async () => {
      const socket = await connectAtOnce(person, id);
      try {
        await socket.untilPrompt({ withinMs: 5_000 });
        const answer = await socket.run('echo $$', { withinMs: 5_000 });
        return answer !== pid && answer;
      } finally {
        socket.close();
      }
    }, { withinMs: 30_000 });
    expect(next).toMatch(/^\d+$/);
    expect(await person.api.get(id)).toMatchObject({ state: 'running', generation: 1 });
  });
});
