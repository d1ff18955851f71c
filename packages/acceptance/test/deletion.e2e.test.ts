import { eventually } from '../src/eventually';
import { useLab } from './lab-fixture';

describe('deleting a session', () => {
  const fixture = useLab();

  async function expectNothingLeft(id: string): Promise<void> {
    expect(await fixture.lab.servicesAndSecretsOf(id)).toEqual([]);
    expect(await fixture.lab.containersOf(id)).toEqual([]);
    expect(await fixture.lab.snapshotsOnNodes(id)).toEqual([]);
    expect(await fixture.lab.tagsInRegistry(`vibe-session-${id}`)).toEqual([]);
  }

  it('that runs leaves no service, secret, container or image', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    await person.delete(id);
    await terminal.untilClosed();
    await eventually('its container is gone', async () => (await fixture.lab.containersOf(id)).length === 0, { withinMs: 30_000 });
    await expectNothingLeft(id);
    expect((await person.api.send('GET', `/api/sessions/${id}`)).status).toBe(404);
    expect((await person.api.send('DELETE', `/api/sessions/${id}`)).status).toBe(404);
  });

  it('that slept on one node and woke on another leaves no image on either, nor in the registry', async () => {
    const person = await fixture.signIn();
    const { id } = await person.create();
    await person.runIn(id, 'echo canary > note.txt');
    const { node } = await fixture.lab.containerOf(id);
    await person.sleep(id);
    await fixture.lab.exec('manager', 'docker', 'node', 'update', '--availability', 'pause', node);
    try {
      expect(await person.runIn(id, 'cat note.txt')).toBe('canary');
    } finally {
      await fixture.lab.exec('manager', 'docker', 'node', 'update', '--availability', 'active', node);
    }
    expect((await fixture.lab.containerOf(id)).node).not.toBe(node);
    await person.sleep(id);
    expect(new Set((await fixture.lab.snapshotsOnNodes(id)).map((at) => at.split(' ')[0])).size).toBe(2);

    await person.delete(id);
    await eventually('its container is gone', async () => (await fixture.lab.containersOf(id)).length === 0, { withinMs: 30_000 });
    await expectNothingLeft(id);
  });

  it('may be asked for twice, and while it is being made', async () => {
    const person = await fixture.signIn();
    const { id } = await person.api.create();
    const answers = await Promise.all([1, 2, 3].map(() => person.api.send('DELETE', `/api/sessions/${id}`)));
    for (const { status } of answers) expect([202, 404]).toContain(status);
    await person.events.untilRemoved(id);
    await eventually('nothing of it is left', async () => {
      await expectNothingLeft(id);
      return true;
    }, { withinMs: 60_000, everyMs: 1_000 });
  });
});
