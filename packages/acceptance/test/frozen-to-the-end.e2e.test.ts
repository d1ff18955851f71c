import { randomBytes } from 'node:crypto';
import type { Session } from '../src/api-client';
import { movesOf } from '../src/audit';
import { eventually } from '../src/eventually';
import { Person } from '../src/person';
import type { TerminalClient } from '../src/terminal-client';
import { Ticker, readTickLog } from '../src/ticker';
import { report, useLab } from './lab-fixture';

const THAWED_WITHIN_MS = 2_000;
const PARALLEL_RETURNS = 50;
/** Ten in the second for which nothing is told, and what is on its way. */
const TICKS_UNTOLD_MAX = 15;
/** Enough that commit, push and proof last longer than it takes to hear of them and return. */
const MEGABYTES = 200;

/** The steps of a sleep up to its commit point, in their order. */
const STEPS = ['saving', 'freezing', 'committing', 'pushing', 'proving'] as const;

describe('a program that ticks and ignores every signal, in a session that is put to sleep', () => {
  const fixture = useLab();
  let person: Person;
  let session: Session;
  let terminal: TerminalClient;
  let ticker: Ticker;
  let hash: string;

  beforeAll(async () => {
    // One session for all of the file, in the order of its life: the fixture's own people are gone after each test.
    person = await Person.signIn(fixture.installation, `ticker-${randomBytes(4).toString('hex')}`);
    session = await person.create();
    terminal = await person.openTerminal(session.id);
    hash = await terminal.run(`head -c ${MEGABYTES}M /dev/urandom > ~/big.bin; sha256sum < ~/big.bin`, { withinMs: 60_000 });
    ticker = await Ticker.start(terminal);
  });
  afterAll(() => person.leave());

  const stepsSince = (from: number): readonly (string | null | undefined)[] =>
    person.events.sightingsOf(session.id).slice(from).filter((seen) => seen.session?.state === 'hibernating').map((seen) => seen.session?.step);

  it.each(STEPS)('ticks again within 2 s of a return while it is %s, in the same open tab; a key typed meanwhile is not lost (F6, F6c)', async (step) => {
    const sightings = person.events.sightingsOf(session.id).length;
    await person.api.hibernate(session.id);
    await person.events.until(session.id, `it is ${step}`, (seen) => seen.session?.step === step, { withinMs: 60_000 });
    ticker.type(`while ${step}`);
    const before = ticker.last;
    const returnedAt = performance.now();
    await person.api.open(session.id);
    const tick = await ticker.after(before, { withinMs: 30_000 });
    const tookMs = performance.now() - returnedAt;
    await ticker.untilHeard(`while ${step}`, { withinMs: 10_000 });
    report(`${step}: tick ${tick} came ${Math.round(tookMs)} ms after the return; cancelled in "${stepsSince(sightings).at(-1) ?? 'none'}"`);
    expect(tookMs).toBeLessThan(THAWED_WITHIN_MS);
    expect(person.events.latest(session.id)?.session).toMatchObject({ state: 'running', generation: 1 });
    expect(await movesOf(fixture.lab, session.id)).not.toContainEqual(expect.stringContaining('→ hibernated'));
  });

  it('stops at the freeze: every tick that arrived is in the woken session, none came after; 50 returns at once make one service (F6b, F7, I2)', async () => {
    await person.api.hibernate(session.id);
    await person.events.until(session.id, 'it is frozen', (seen) => seen.session?.step === 'committing', { withinMs: 60_000 });
    const frozenBefore = Date.now();
    ticker.type('while nobody listens');
    await person.events.untilState(session.id, 'hibernated', { withinMs: 120_000 });

    const answers = await Promise.all(Array.from({ length: PARALLEL_RETURNS }, () => person.api.open(session.id)));
    expect(new Set(answers.map((answer) => answer.session.generation))).toEqual(new Set([2]));
    await person.events.untilState(session.id, 'running', { generation: 2, withinMs: 120_000 });
    // Removing the frozen container must not let it run on: a tick from there would be acknowledged, and lost.
    await terminal.untilClosed({ withinMs: 60_000 });
    const acknowledged = ticker.last;
    const wokenTerminal = await person.openTerminal(session.id);

    const log = readTickLog(await wokenTerminal.run('cat ~/ticks'));
    const numbers = log.ticks.map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, at) => at + 1));
    const inFlight = numbers.length - acknowledged;
    report(`${acknowledged} ticks arrived, ${numbers.length} are in the woken session; the last is ${frozenBefore - (log.ticks.at(-1)?.atMs ?? 0)} ms older than the news of the freeze`);
    expect(inFlight).toBeGreaterThanOrEqual(0);
    // Between the save, from which on nothing is told, and the freeze.
    expect(inFlight).toBeLessThanOrEqual(TICKS_UNTOLD_MAX);
    expect(log.ticks.at(-1)?.atMs).toBeLessThanOrEqual(frozenBefore);
    expect(log.heard).toEqual(STEPS.map((step) => `while ${step}`));
    expect(terminal.text()).not.toContain('<heard while nobody listens>');
    expect(await wokenTerminal.run('sha256sum < ~/big.bin')).toBe(hash);

    expect((await movesOf(fixture.lab, session.id)).filter((move) => move.includes('→ waking'))).toEqual(['hibernated → waking g2']);
    await eventually('one service, one secret and one container are there', async () => {
      const [named, containers] = [await fixture.lab.servicesAndSecretsOf(session.id), await fixture.lab.containersOf(session.id)];
      return named.length === 2 && containers.length === 1 && containers[0]?.generation === 2;
    }, { withinMs: 30_000 });
    expect((await person.api.get(session.id)).generation).toBe(2);
  });
});
