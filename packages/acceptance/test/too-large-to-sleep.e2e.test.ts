import { useLab } from './lab-fixture';

const FREEZE_MS = 60_000;

describe('a session that its node has too little disk to save', () => {
  const fixture = useLab();

  it('is refused before the freeze, goes on in the same shell, says why, and sleeps when there is room again (F27)', async () => {
    const { lab } = fixture;
    const person = await fixture.signIn('hoarder');
    const { id } = await person.create();
    const { node, containerId } = await lab.containerOf(id);
    const terminal = await person.openTerminal(id);
    // A layer has no holes: it would be this large, whatever the file takes here.
    const pid = await terminal.run('truncate --size 1T sparse; echo $$');
    const alarmsBefore = await alarmsOf(node);
    const since = new Date().toISOString();

    await person.api.hibernate(id);
    const refused = await person.events.until(id, 'it goes on running and says why', ({ session }) => session?.state === 'running' && (session.reason ?? '').includes('too little free disk'), { withinMs: FREEZE_MS });
    expect(refused.session?.retry_after).not.toBeNull();
    const frozen = await lab.exec(node, 'docker', 'events', '--since', since, '--until', new Date().toISOString(), '--filter', `container=${containerId}`, '--filter', 'event=pause', '--format', '{{.Action}}');
    expect(frozen).toBe('');
    expect(await alarmsOf(node)).toBe(alarmsBefore + 1);

    expect(await terminal.run('echo $$; rm sparse')).toBe(pid);
    await person.sleep(id);
  });

  /** How often the node's agent has raised the alarm of a full disk. */
  async function alarmsOf(node: string): Promise<number> {
    const ask = "fetch(`http://127.0.0.1:${process.env.PORT}/metrics`).then((answer) => answer.text()).then((text) => console.log(text))";
    const metrics = await fixture.lab.execInService(node, 'vibe-control_hibernator-worker', 'node', '-e', ask);
    return Number(/^vibe_alarms_total\{alarm="disk_full"\} (\d+)$/m.exec(metrics)?.[1]);
  }
});
