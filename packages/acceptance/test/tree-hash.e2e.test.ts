import { randomBytes } from 'node:crypto';
import type { Session } from '../src/api-client';
import { differencesOf, listTree, runProgram, tracesOf } from '../src/file-tree';
import type { SessionContainer } from '../src/lab';
import { Person } from '../src/person';
import { report, useLab } from './lab-fixture';

/** Where somebody with root's rights may work at random without taking the session's own programs away. */
const OF_THE_IMAGE = ['/etc/alternatives', '/etc/apt', '/etc/security', '/usr/share/doc', '/usr/local/share', '/home/vibe/workspace'];
const OF_THE_USER = ['/home/vibe/workspace', '/home/vibe/files', '/tmp/files'];
const NOT_KEPT = '/home/vibe/not-kept';
/** What is done at random is left undone where it may not be: without these nothing would be shown. */
const DONE_BY_ALL = ['create', 'append', 'rename', 'remove', 'chmod', 'symlink', 'sparse', 'hard_link'];
const DONE_BY_ROOT = [...DONE_BY_ALL, 'capability'];

/** What `not-kept.py look` prints. */
interface Look {
  readonly contents: readonly string[];
  readonly xattrs: readonly string[];
  readonly dated_ns: string;
  readonly early_s: number;
  readonly late_s: number;
  readonly sparse: { readonly bytes: number; readonly on_disk: number; readonly is_whole: boolean };
  readonly has_socket: boolean;
  readonly longest_path: number;
}

describe('hash before, hash after (I2)', () => {
  const fixture = useLab();
  // The same history again: VIBE_SEED=… pnpm exec jest …
  const seed = process.env['VIBE_SEED'] ?? randomBytes(4).toString('hex');
  let person: Person;
  let session: Session;
  let refusal: Promise<{ readonly reason: string | null; readonly content: string }>;
  let looks: { readonly before: Look; readonly after: Look };

  beforeAll(async () => {
    // One session for all of the file: the fixture's own people are gone after each test.
    person = await Person.signIn(fixture.installation, `keeper-${randomBytes(4).toString('hex')}`);
    session = await person.create();
    await person.runIn(session.id, 'mkdir -p ~/files /tmp/files');
    refusal = sleepWithAForbiddenName();
    refusal.catch(() => undefined); // its own test says so
    report(`files at random with VIBE_SEED=${seed}`);
  });
  afterAll(() => person.leave());

  const container = (): Promise<SessionContainer> => fixture.lab.containerOf(session.id);
  const look = async (): Promise<Look> => JSON.parse(await runProgram(fixture.lab, await container(), 'vibe', 'not-kept', 'look')) as Look;

  /** Takes the Engine a while, which tries that push again and again: begun first, looked at last. */
  async function sleepWithAForbiddenName(): Promise<{ reason: string | null; content: string }> {
    const { id } = await person.create();
    const terminal = await person.openTerminal(id);
    await terminal.run('echo here > ~/.wh.note');
    await person.api.hibernate(id);
    await person.events.untilState(id, 'hibernating', { withinMs: 30_000 });
    const { reason } = await person.events.untilState(id, 'running', { withinMs: 150_000 });
    const content = await terminal.run('cat ~/.wh.note; rm ~/.wh.note');
    await person.sleep(id);
    return { reason, content };
  }

  /** Works as one of them, and says which kinds of it were done at least once. */
  async function workAs(user: 'root' | 'vibe', round: string, operations: number, directories: readonly string[]): Promise<readonly string[]> {
    const counts = await runProgram(fixture.lab, await container(), user, 'random-files', `${seed}-${user}-${round}`, String(operations), ...directories);
    report(`${user}: ${counts}`);
    return [...counts.matchAll(/(\w+)=[1-9]/g)].map(([, kind = '']) => kind);
  }

  /** Works as both, and returns the tree that came of it. */
  async function workAtRandom(round: string): Promise<readonly string[]> {
    const before = await listTree(fixture.lab, await container(), NOT_KEPT);
    expect(await workAs('vibe', round, 300, OF_THE_USER)).toEqual(expect.arrayContaining(DONE_BY_ALL));
    expect(await workAs('root', round, 150, OF_THE_IMAGE)).toEqual(expect.arrayContaining(DONE_BY_ROOT));
    const after = await listTree(fixture.lab, await container(), NOT_KEPT);
    const traces = tracesOf(before, after, OF_THE_IMAGE);
    report(`traces of it: ${JSON.stringify(traces)}`);
    expect(Object.entries(traces).filter(([, paths]) => paths === 0)).toEqual([]);
    return after;
  }

  /** Sleeps, wakes on another node, and says what is not as it was. */
  async function differencesOfASleep(before: readonly string[]): Promise<readonly string[]> {
    const at = await container();
    await person.sleep(session.id);
    await fixture.lab.withoutNewcomers(at.node, () => person.openTerminal(session.id));
    const woken = await container();
    expect(woken.node).not.toBe(at.node);
    const after = await listTree(fixture.lab, woken, NOT_KEPT);
    report(`${after.length} paths, with owners, modes, contents, links and times, on ${at.node} and then on ${woken.node}`);
    return differencesOf(before, after);
  }

  it('after random file operations, a sleep and a wake on another node the tree is the same', async () => {
    await runProgram(fixture.lab, await container(), 'vibe', 'not-kept');
    const before = await look();
    expect(await differencesOfASleep(await workAtRandom('first'))).toEqual([]);
    looks = { before, after: await look() };
  });

  it('and once more on top of that: what an earlier sleep kept is changed, deleted, made anew', async () => {
    expect(await differencesOfASleep(await workAtRandom('second'))).toEqual([]);
  });

  describe('what a snapshot does not keep', () => {
    it('extended attributes of the user: gone, the file is whole', () => {
      expect(looks.before.xattrs).toEqual(['user.colour']);
      expect(looks.after).toMatchObject({ xattrs: [], contents: ['kept'] });
    });

    it('fractions of a second: cut off', () => {
      expect(looks.before.dated_ns).toBe('1700000000123456789');
      expect(looks.after.dated_ns).toBe('1700000000000000000');
    });

    it('dates before 1970 or after 2262: become the first second of 1970', () => {
      expect(looks.before).toMatchObject({ early_s: -60, late_s: 10_300_000_000 });
      expect(looks.after).toMatchObject({ early_s: 0, late_s: 0 });
    });

    it('holes: filled, so that the file takes its whole size on the disk; its content is the same', () => {
      expect(looks.before.sparse).toMatchObject({ bytes: 8 << 20, is_whole: true });
      expect(looks.before.sparse.on_disk).toBeLessThan(1 << 20);
      expect(looks.after.sparse).toMatchObject({ bytes: 8 << 20, is_whole: true });
      expect(looks.after.sparse.on_disk).toBeGreaterThanOrEqual(8 << 20);
    });

    it('sockets: gone', () => {
      expect([looks.before.has_socket, looks.after.has_socket]).toEqual([true, false]);
    });

    it('files whose path is longer than 4,001 bytes: gone', () => {
      expect(looks.before.longest_path).toBe(4_095);
      expect(looks.after.longest_path).toBeLessThanOrEqual(4_001);
    });
  });

  it('a name that layers keep for themselves (.wh.…) is refused: the session goes on with all it has, and sleeps without it', async () => {
    const { reason, content } = await refusal;
    expect(reason).toBe('It could not be put to sleep: no snapshot can hold the name /home/vibe/.wh.note; rename or delete it.');
    expect(content).toBe('here');
  });
});
