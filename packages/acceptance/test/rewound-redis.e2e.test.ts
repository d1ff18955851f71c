import type { ApiErrorBody, Session } from '../src/api-client';
import { eventually } from '../src/eventually';
import { moveClock, redis, resetClock } from '../src/lab-clock';
import { dryRun } from '../src/orphans';
import type { Person } from '../src/person';
import { report, useLab } from './lab-fixture';

const BACK_MS = 120_000;
const SIGHTINGS_APART_MS = 61_000;

/** The append-only file that Redis writes to now, seen from its node. */
const FILE = '"$(ls -t "$(docker volume inspect --format "{{.Mountpoint}}" vibe-redis)"/appendonlydir/*.incr.aof | head -n 1)"';
const KILL = 'docker kill --signal KILL "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=vibe-state_redis")" >/dev/null';

describe('when Redis is killed', () => {
  const fixture = useLab();
  afterEach(() => resetClock(fixture.lab));

  const back = async (person: Person) => {
    const seen = new Set<string>();
    const sessions = await eventually('the API answers again', async () => {
      const { status, body } = await person.api.send<ApiErrorBody & { sessions: Session[] }>('GET', '/api/sessions');
      if (status !== 200) seen.add(body.error?.code ?? String(status));
      return status === 200 && body.sessions;
    }, { withinMs: BACK_MS });
    return { sessions, seen };
  };

  it('every move that it acknowledged is there when it comes back (F19)', async () => {
    const person = await fixture.signIn('killed');
    const awake = await person.create('awake');
    const asleep = await person.create('asleep');
    await person.sleep(asleep.id);
    const { id } = await person.api.create('just claimed');
    const moves = Number(await redis(fixture.lab, 'GET', 'vibe:moves'));
    await fixture.lab.shell('manager', KILL);
    const { sessions, seen } = await back(person);
    expect(seen).not.toContain('rebuilding');
    expect(Number(await redis(fixture.lab, 'GET', 'vibe:moves'))).toBeGreaterThanOrEqual(moves);
    expect(sessions.map((session) => session.id).sort()).toEqual([awake.id, asleep.id, id].sort());
    await person.listenAgain();
    await eventually('what was claimed runs', async () => (await person.api.get(id)).state === 'running', { withinMs: BACK_MS });
  });

  it('and the tail of its file is cut off by hand, what was made and saved in that tail is there again, and nothing of it is an orphan (F19)', async () => {
    const { lab } = fixture;
    const person = await fixture.signIn('rewound');
    const before = await person.create('sleeps in the tail');
    const hash = await person.runIn(before.id, 'head -c 1000000 /dev/urandom > data.bin; sha256sum data.bin | cut -c1-64');
    const moves = Number(await redis(lab, 'GET', 'vibe:moves'));
    const bytes = Number(await lab.shell('manager', `stat --format %s ${FILE}`));

    await person.sleep(before.id);
    const made = await person.create('made in the tail');
    const pid = await person.runIn(made.id, 'echo typed > note.txt; echo $$');
    await eventually('the container of what fell asleep is gone', async () => (await lab.containersOf(before.id)).length === 0, { withinMs: 60_000 });

    const cutAt = performance.now();
    await lab.shell('manager', `${KILL}; truncate --size "$1" ${FILE}`, String(bytes));
    const { sessions, seen } = await back(person);
    report(`after the cut every session was back in ${((performance.now() - cutAt) / 1_000).toFixed(1)} s; ${Number(await redis(lab, 'GET', 'vibe:moves')) - moves} moves were made anew`);
    expect(seen).toContain('rebuilding');
    const shown = sessions.map(({ id, name, state, generation }) => ({ id, name, state, generation }));
    expect(shown.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { id: made.id, name: 'made in the tail', state: 'running', generation: 1 },
      { id: before.id, name: 'sleeps in the tail', state: 'hibernated', generation: 1 },
    ]);

    // Two sightings, a minute apart: what had no record would be gone after them.
    for (let sighting = 0; sighting < 2; sighting++) {
      expect((await dryRun(lab)).filter(({ session_id: id }) => id === made.id || id === before.id)).toEqual([]);
      await moveClock(lab, SIGHTINGS_APART_MS);
    }
    await person.listenAgain();
    expect(await person.runIn(made.id, 'echo $$; cat note.txt')).toBe(`${pid}\ntyped`);
    expect(await person.runIn(before.id, 'sha256sum data.bin | cut -c1-64')).toBe(hash);
  });
});
