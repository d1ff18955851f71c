import type { ApiErrorBody, Session } from '../src/api-client';
import { eventually } from '../src/eventually';
import { emptyRedis } from '../src/lab-clock';
import { report, useLab } from './lab-fixture';

describe('when Redis has lost everything', () => {
  const fixture = useLab();

  it('the API answers 503 until every session is back, running and asleep, with its name and its data (F20)', async () => {
    const person = await fixture.signIn('rebuild');
    const { limits } = await person.api.must<{ limits: { max_sessions: number } }>([200], 'GET', '/api/me');
    const awake = await person.create('awake');
    const asleep = await person.create('asleep');
    const pid = await person.runIn(awake.id, 'echo typed > note.txt; echo $$');
    const hash = await person.runIn(asleep.id, 'head -c 1000000 /dev/urandom > data.bin; sha256sum data.bin | cut -c1-64');
    await person.sleep(asleep.id);
    const container = await fixture.lab.containerOf(awake.id);

    const emptiedAt = performance.now();
    await emptyRedis(fixture.lab);
    const during = await person.api.send<ApiErrorBody>('GET', '/api/sessions');
    expect([during.status, during.body.error?.code]).toEqual([503, 'rebuilding']);
    expect(during.headers.get('retry-after')).toMatch(/^\d+$/);
    const refused = await person.api.send('POST', '/api/sessions', { json: { name: 'too early' } });
    expect(refused.status).toBe(503);

    const statuses = new Set<number>();
    const back = await eventually('the API answers again', async () => {
      const answer = await person.api.send<{ sessions: Session[] }>('GET', '/api/sessions');
      statuses.add(answer.status);
      return answer.status === 200 && answer.body.sessions;
    }, { withinMs: 120_000 });
    report(`every session was back ${((performance.now() - emptiedAt) / 1_000).toFixed(1)} s after Redis was emptied`);
    expect([...statuses].sort()).toEqual([200, 503]);
    expect(back.map(({ id, name, state, generation }) => ({ id, name, state, generation })).sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { id: asleep.id, name: 'asleep', state: 'hibernated', generation: 1 },
      { id: awake.id, name: 'awake', state: 'running', generation: 1 },
    ]);

    await person.listenAgain();
    expect(await person.runIn(awake.id, 'echo $$; cat note.txt')).toBe(`${pid}\ntyped`);
    expect((await fixture.lab.containerOf(awake.id)).containerId).toBe(container.containerId);
    expect(await person.runIn(asleep.id, 'sha256sum data.bin | cut -c1-64')).toBe(hash);
    expect((await person.api.get(asleep.id)).generation).toBe(2);

    for (let n = 2; n < limits.max_sessions; n++) await person.create();
    expect((await person.api.send('POST', '/api/sessions', { json: {} })).status).toBe(409);
  });
});
