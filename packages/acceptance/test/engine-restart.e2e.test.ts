import type { Session } from '../src/api-client';
import { eventually } from '../src/eventually';
import { movesOf } from '../src/audit';
import { emptyRedis } from '../src/lab-clock';
import type { Person } from '../src/person';
import { report, useLab } from './lab-fixture';

const NODE = 'worker1';
/** Enough that a commit, or a push, lasts longer than it takes to hear of it and kill an Engine. */
const MEGABYTES = 300;
const SAVED_MS = 180_000;

describe('a node whose Engine is killed and starts again', () => {
  const fixture = useLab();
  // A test that failed half-way must not leave a dead node to the others.
  afterEach(() => fixture.lab.exec(NODE, 'engine', 'start'));

  /** A session on that node with a file of its own, too large to be pushed at once. */
  async function createThere(person: Person, name: string): Promise<{ session: Session; hash: string }> {
    const session = await person.create(name);
    const terminal = await person.openTerminal(session.id);
    const hash = await terminal.run(`head -c ${MEGABYTES}M /dev/urandom > ~/big.bin; sha256sum < ~/big.bin`, { withinMs: 60_000 });
    terminal.close();
    return { session, hash };
  }

  it('ends what was in use there as lost, and loses nothing of what was being committed, not even when its user comes back at that moment (F2, F16)', async () => {
    const { lab } = fixture;
    const person = await fixture.signIn('unlucky');
    const [awake, asleep, returning] = await lab.withoutNewcomers('worker2', async () => {
      const first = await person.create('in use');
      return [first, await createThere(person, 'falls asleep'), await createThere(person, 'its user returns')] as const;
    });
    for (const { id } of [awake, asleep.session, returning.session]) expect((await lab.containerOf(id)).node).toBe(NODE);

    // One after the other: the last one's commit has only just begun when the Engine is killed.
    for (const { session: { id } } of [returning, asleep]) {
      await person.api.hibernate(id);
      await person.events.until(id, `${id} is committed`, ({ session }) => session?.step === 'committing', { withinMs: 60_000 });
    }
    const killedAt = performance.now();
    await lab.exec(NODE, 'engine', 'kill');
    expect(person.events.latest(asleep.session.id)?.session?.step).toBe('committing');
    // Nobody is there to thaw it: the record says that it runs, and its container has ended.
    await person.api.open(returning.session.id);
    await lab.exec(NODE, 'engine', 'start');

    const lost = await person.events.untilState(awake.id, 'lost', { withinMs: SAVED_MS });
    expect(lost.reason).toContain('The session is lost');
    report(`killed in use → lost after ${((performance.now() - killedAt) / 1_000).toFixed(1)} s`);
    for (const { session, hash } of [asleep, returning]) {
      await eventually(`${session.id} sleeps`, async () => (await person.api.get(session.id)).state === 'hibernated', { withinMs: SAVED_MS });
      report(`${session.name}: saved ${((performance.now() - killedAt) / 1_000).toFixed(1)} s after the Engine was killed: ${(await movesOf(lab, session.id)).join(', ')}`);
      const terminal = await person.openTerminal(session.id);
      expect(await terminal.run('sha256sum < ~/big.bin')).toBe(hash);
      expect((await person.api.get(session.id)).generation).toBe(2);
    }
  });

  it('has what was being pushed from there saved although Redis was emptied before anybody knew of it (F2, F20)', async () => {
    const { lab } = fixture;
    const person = await fixture.signIn('unluckiest');
    const { session, hash } = await lab.withoutNewcomers('worker2', () => createThere(person, 'falls asleep'));
    await person.api.hibernate(session.id);
    await person.events.until(session.id, 'it is pushed', ({ session: seen }) => seen?.step === 'pushing', { withinMs: 60_000 });
    await lab.exec(NODE, 'engine', 'kill');
    await emptyRedis(lab);
    await lab.exec(NODE, 'engine', 'start');
    const emptiedAt = performance.now();
    await eventually('it sleeps', async () => (await person.api.get(session.id)).state === 'hibernated', { withinMs: SAVED_MS });
    report(`saved ${((performance.now() - emptiedAt) / 1_000).toFixed(1)} s after the Engine came back: ${(await movesOf(lab, session.id)).join(', ')}`);
    await person.listenAgain();
    expect(await person.runIn(session.id, 'sha256sum < ~/big.bin')).toBe(hash);
  });
});
