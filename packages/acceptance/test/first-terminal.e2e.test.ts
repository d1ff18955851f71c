import type { Session } from '../src/api-client';
import { connectAtOnce, connectByLabelRoute } from '../src/routes-to-a-terminal';
import { SocketRefused, TerminalClient } from '../src/terminal-client';
import { report, useLab } from './lab-fixture';

describe('a new session', () => {
  const fixture = useLab();

  it('is created over the API and becomes a terminal that runs', async () => {
    const person = await fixture.signIn();
    const answer = await person.api.send<Session>('POST', '/api/sessions', { json: { name: 'my first one' } });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/api/sessions/${answer.body.id}`);
    expect(answer.body).toMatchObject({ id: expect.stringMatching(/^[a-z0-9]{26}$/) as string, name: 'my first one', state: 'creating', generation: 1 });

    const running = await person.events.untilState(answer.body.id, 'running');
    expect(running.sleeps_at).not.toBeNull();
    expect(await person.api.list()).toEqual([expect.objectContaining({ id: running.id, state: 'running' })]);
    expect((await fixture.lab.containerOf(running.id)).generation).toBe(1);
  });

  it('keeps a new name, and every window of its user hears of it', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create('before');
    expect((await person.api.rename(id, 'after')).name).toBe('after');
    await person.events.until(id, 'the new name', ({ session }) => session?.name === 'after');
    expect((await person.api.get(id)).name).toBe('after');
  });

  it('turns typed input into a file', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    terminal.type('echo "typed by hand" > note.txt\r');
    terminal.type('cat /home/vibe/workspace/note.txt | tr a-z A-Z\r');
    await terminal.expect(/TYPED BY HAND/);
  });

  it('has the same shell for every socket that comes back, and for two at once', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const first = await person.openTerminal(id);
    const pid = await first.run('echo $$');
    const second = await person.openTerminal(id);
    expect(await second.run('echo $$')).toBe(pid);
    first.close();
    second.close();
    expect(await person.runIn(id, 'echo $$')).toBe(pid);
  });

  it('is reached through the gateway before Traefik has polled (the fallback)', async () => {
    const person = await fixture.signIn();
    // A poll may fall between the start and the socket: then a session tells nothing, and the next one is tried.
    for (let attempt = 1; attempt <= 6; attempt++) {
      const session = await person.create();
      const terminal = await connectAtOnce(person, session.id);
      const { route } = terminal;
      if (route === 'fallback') {
        await terminal.untilPrompt();
        expect(await terminal.run('echo "through $((2+3))"')).toBe('through 5');
        report(`the fallback answered at attempt ${attempt}`);
        return;
      }
      terminal.close();
      await person.delete(session.id);
    }
    throw new Error('no socket came through the fallback');
  });

  it("is reached straight from Traefik by the service's labels, with no gateway in between (the label route)", async () => {
    const person = await fixture.signIn();
    const session = await person.create();
    const startedAt = performance.now();
    const terminal = await connectByLabelRoute(person, session.id);
    report(`the label route was there ${((performance.now() - startedAt) / 1_000).toFixed(1)} s after the start`);
    await terminal.untilPrompt();
    expect(await terminal.run('echo "direct $((4+5))"')).toBe('direct 9');
    // Who holds a connection to ttyd: the address of Traefik is on it, the gateway's is not.
    const [traefik, gateway] = await Promise.all([fixture.lab.serviceAddress('vibe-edge_traefik'), fixture.lab.serviceAddress('vibe-edge_gateway')]);
    const peers = await terminal.run("ss -Htn state established '( sport = :7681 )'");
    expect(peers).toContain(traefik);
    expect(peers).not.toContain(gateway);
    terminal.close();
  });

  it('refuses a socket at any generation but its own', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const { terminal } = await person.api.open(id);
    const wrong = { path: `/ttyd/${id}/g2/ws`, auth_token: terminal?.auth_token ?? '' };
    await expect(TerminalClient.connect(fixture.installation, wrong, { token: person.token })).rejects.toThrow(SocketRefused);
  });

  it("leads a browser from the container's own path to its page, and never shows a page of the container's", async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const answer = await person.api.send('GET', `/ttyd/${id}/`);
    expect([301, 302, 303, 307, 308]).toContain(answer.status);
    expect(new URL(answer.headers.get('location') ?? '', fixture.installation.url).pathname).toBe(`/terminal/${id}`);
    for (const path of [`/ttyd/${id}/g1/`, `/ttyd/${id}/g1/token`, `/ttyd/${id}/g1/ws`]) {
      const { body } = await person.api.send<string>('GET', path);
      expect(JSON.stringify(body)).not.toMatch(/ttyd - Terminal|"token":/);
    }
  });
});
