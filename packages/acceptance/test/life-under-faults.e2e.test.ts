import { randomBytes } from 'node:crypto';
import type { SessionState } from '../src/api-client';
import { gapsInAudit, movesOf } from '../src/audit';
import { Chance } from '../src/chance';
import { Diary, onRefusal } from '../src/diary';
import { eventually } from '../src/eventually';
import { emptyRedis, hastenTick } from '../src/lab-clock';
import { dryRun } from '../src/orphans';
import type { Person } from '../src/person';
import { report, useLab } from './lab-fixture';

const PEOPLE = 2;
const SESSIONS_EACH = 2;
const STEP_MS = 20_000;
const HEALED_MS = 120_000;

describe('a life under faults', () => {
  const fixture = useLab();
  // The same history again: VIBE_SEED=… pnpm exec jest …
  const seed = process.env['VIBE_SEED'] ?? randomBytes(4).toString('hex');

  const open: Diary[] = [];
  afterEach(() => open.splice(0).forEach((diary) => diary.close()));

  /** Kills the container of one of our services, as kill -9 would; Swarm starts another. */
  const kill = (node: string, service: string): Promise<string> =>
    fixture.lab.shell(node, 'docker ps --quiet --filter "label=com.docker.swarm.service.name=$1" | xargs -r docker kill', service);

  /** Waits until a session runs or sleeps, as the API says. */
  const settled = ({ person, id }: Diary, withinMs = STEP_MS): Promise<SessionState> =>
    eventually(`${id} runs or sleeps`, async () => {
      const { state } = await person.api.get(id);
      return (state === 'running' || state === 'hibernated') && state;
    }, { withinMs });

  /** Asks for more sessions than this person may have, all at once: exactly as many are given as are free. */
  const holdQuota = async ({ api }: Person): Promise<void> => {
    const { limits } = await api.must<{ limits: { max_sessions: number } }>([200], 'GET', '/api/me');
    const held = (await api.list()).length;
    const answers = await Promise.all(Array.from({ length: limits.max_sessions + 1 }, () => api.send('POST', '/api/sessions', { json: {} })));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual(answers.map((_, at) => (at < limits.max_sessions - held ? 201 : 409)));
    expect(await api.list()).toHaveLength(limits.max_sessions);
  };

  it('loses no acknowledged line, shows nobody another one\'s, leaves nothing stuck and nothing over, and counts right (I1–I8)', async () => {
    const people = await Promise.all(Array.from({ length: PEOPLE }, () => fixture.signIn('survivor')));
    const owners = people.flatMap((person) => Array.from({ length: SESSIONS_EACH }, () => person));
    const chance = new Chance(seed);
    const diaries = await Promise.all(owners.map(async (person) => new Diary(person, (await person.create()).id)));
    open.push(...diaries);
    for (const diary of diaries) await diary.write({ withinMs: STEP_MS });
    const gone: Diary[] = [];
    const nodes = (await fixture.lab.nodes()).map(({ hostname }) => hostname);
    const told: string[] = [];
    const some = (): Diary | undefined => chance.oneOf(diaries);

    const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
      ...Array.from({ length: 4 }, () => ['write', async () => some()?.write({ withinMs: STEP_MS }).catch(() => told.push('(not acknowledged)'))] as const),
      ...Array.from({ length: 2 }, () => ['sleep', async () => {
        const diary = some();
        await diary?.person.api.hibernate(diary.id).catch(onRefusal);
      }] as const),
      ...Array.from({ length: 3 }, () => ['sleep to the end', async () => {
        const diary = some();
        await diary?.person.api.hibernate(diary.id).catch(onRefusal);
        if (diary) await settled(diary).catch(() => told.push('(not yet)'));
      }] as const),
      ...Array.from({ length: 2 }, () => ['return', async () => {
        const diary = some();
        await diary?.person.api.open(diary.id).catch(onRefusal);
      }] as const),
      ['kill an agent', async () => kill(chance.oneOf(nodes) ?? '', 'vibe-control_hibernator-worker')],
      ['kill Redis', async () => kill('manager', 'vibe-state_redis')],
      // Redis may be away at this very moment: it is emptied when it is back.
      ['empty Redis', async () => eventually('Redis is emptied', () => emptyRedis(fixture.lab).then(() => true), { withinMs: HEALED_MS })],
      ['kill the registry', async () => kill('manager', 'vibe-state_registry')],
      ['delete', async () => {
        if (gone.length > 0) return;
        const [diary] = diaries.splice(chance.below(diaries.length), 1);
        // Redis may be away at this very moment: whoever wants it deleted asks again.
        if (diary) await eventually('the deletion is taken', async () => (await diary.person.api.send('DELETE', `/api/sessions/${diary.id}`)).status < 500, { withinMs: HEALED_MS });
        diary?.close();
        if (diary) gone.push(diary);
      }],
    ];
    const startedAt = performance.now();
    // Twice all of them: no history is without its faults.
    for (const [name, act] of [...chance.shuffled(steps), ...chance.shuffled(steps)]) {
      told.push(name);
      await act();
    }
    report(`VIBE_SEED=${seed}: ${told.join(', ')} (${((performance.now() - startedAt) / 1_000).toFixed(0)} s)`);

    // Whatever was broken comes back; nobody helps.
    for (const diary of diaries) await settled(diary, HEALED_MS);
    for (const diary of diaries) {
      const kept = await eventually(`${diary.id} can be read`, () => diary.read({ withinMs: STEP_MS }), { withinMs: HEALED_MS });
      // What was typed and not acknowledged may be there or not; nothing else is, and nothing twice.
      expect(kept).toEqual(diary.typed.filter((line) => diary.acknowledged.includes(line) || kept.includes(line)));
      await fixture.lab.containerOf(diary.id);
      const generations = (await movesOf(fixture.lab, diary.id)).map((move) => Number(/ g(\d+)$/.exec(move)?.[1]));
      expect(generations).toEqual([...generations].sort((a, b) => a - b));
    }
    report(`${diaries.flatMap(({ acknowledged }) => acknowledged).length} acknowledged lines are all there; ${((performance.now() - startedAt) / 1_000).toFixed(0)} s in all`);

    for (const diary of diaries) await settled(diary, HEALED_MS);
    // Redis may have been emptied before a deletion had ended. Then nobody knows of it, and whoever finds the session there again deletes it again.
    const isForgotten = told.lastIndexOf('empty Redis') > told.indexOf('delete');
    const left = await eventually('what was deleted is gone from the lists', async () => {
      if (isForgotten) for (const { person, id } of gone) await person.api.delete(id);
      const mine = (await Promise.all(people.map((person) => person.api.list()))).flat();
      return mine.length === diaries.length && mine;
    }, { withinMs: HEALED_MS });
    expect(left.map(({ id }) => id).sort()).toEqual(diaries.map(({ id }) => id).sort());
    await hastenTick(fixture.lab, 'registry-care');
    await eventually('nothing is left over of what was deleted, and nothing is to be done about the others', async () => {
      const ids = [...gone, ...diaries].map(({ id }) => id);
      const traces = await Promise.all(gone.map(async ({ id }) => [...(await fixture.lab.servicesAndSecretsOf(id)), ...(await fixture.lab.containersOf(id)), ...(await fixture.lab.snapshotsOnNodes(id)), ...(await fixture.lab.tagsInRegistry(`vibe-session-${id}`))]));
      return traces.flat().length === 0 && (await dryRun(fixture.lab)).every(({ session_id = '' }) => !ids.includes(session_id));
    }, { withinMs: HEALED_MS, everyMs: 2_000 });
    for (const { id } of open) expect([id, await gapsInAudit(fixture.lab, id)]).toEqual([id, []]);
    for (const mine of open) {
      expect(mine.received).toContain(mine.secret);
      expect([mine.id, open.filter((other) => other !== mine && mine.received.includes(other.secret)).map(({ id }) => id)]).toEqual([mine.id, []]);
    }
    for (const person of people) await holdQuota(person);
    await Promise.all(people.map((person) => person.listenAgain()));
  });
});
