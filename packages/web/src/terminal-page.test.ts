import type { OpenAnswer } from '@vibe/contracts';
import { FakeTimers, ID, iso, sessionWith } from '../test/session-fixture';
import { ApiFailure } from './api-client';
import { TerminalPage } from './terminal-page';

const terminal = { path: `/ttyd/${ID}/g2/ws`, auth_token: 'token' };
const asleep = sessionWith({ state: 'hibernated', generation: 1 });
const waking = sessionWith({ state: 'waking', generation: 2, state_since: iso(0) });
const awake = sessionWith({ state_since: iso(900) });

function setUp(answers: (OpenAnswer | ApiFailure)[]) {
  const timers = new FakeTimers();
  const did: string[] = [];
  const page = new TerminalPage({
    id: ID,
    api: {
      open: async () => {
        did.push('open');
        const answer = answers.shift();
        if (answer === undefined) throw new Error('one open too many');
        if (answer instanceof ApiFailure) throw answer;
        return answer;
      },
      hibernate: async () => sessionWith({ state: 'hibernating', state_since: iso(60_000), hibernate_reason: 'asked' }),
    },
    clock: { now: () => timers.now, learn: () => undefined },
    socket: {
      connect: (path) => did.push(`connect ${path}`),
      hold: () => did.push('hold'),
      drop: () => did.push('drop'),
      hurry: () => undefined,
    },
    schedule: timers.schedule,
    onChange: () => undefined,
  });
  const card = (): string => (page.screen.kind === 'terminal' ? 'terminal' : page.screen.name);
  return { page, timers, did, card };
}

const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

it('leads from a sleeping session to its terminal with two opens, and shows the way', async () => {
  const { page, did, card } = setUp([{ session: waking }, { session: awake, terminal }]);
  page.person.onArrived();
  page.feedEvents.onSessions([asleep]);
  expect(card()).toBe('waking');
  await settled();
  page.feedEvents.onSession({ ...waking, step: 'starting' });
  expect(card()).toBe('waking');
  page.feedEvents.onSession(awake);
  expect(card()).toBe('connecting');
  await settled();
  page.onSocketStatus({ kind: 'connecting', attempt: 0 });
  expect(card()).toBe('connecting');
  page.onSocketStatus({ kind: 'open' });
  expect(card()).toBe('terminal');
  expect(did.filter((one) => one !== 'drop')).toEqual(['open', 'open', `connect ${terminal.path}`]);
});

it('holds the socket while its session falls asleep, drops it when it sleeps, opens nothing by itself', async () => {
  const { page, timers, did, card } = setUp([{ session: awake, terminal }]);
  page.person.onArrived();
  await settled();
  await page.sleep();
  expect(did.at(-1)).toBe('hold');
  expect(card()).toBe('sleeping');
  page.feedEvents.onSession(sessionWith({ state: 'hibernated', state_since: iso(70_000) }));
  expect(did.at(-1)).toBe('drop');
  timers.pass(600_000);
  await settled();
  expect(card()).toBe('asleep');
  expect(did.filter((one) => one === 'open')).toHaveLength(1);
});

it('tries again while it is looked at, and shows when', async () => {
  const { page, timers, did, card } = setUp([new ApiFailure('no_capacity', 'every machine is full', 12_000), { session: waking }]);
  page.feedEvents.onSessions([asleep]);
  page.person.onArrived();
  await settled();
  expect(card()).toBe('retrying');
  expect(page.screen).toMatchObject({ lines: ['Every machine is full.', 'Trying again in 12 s, while you look at this page.'] });
  timers.pass(12_000);
  await settled();
  expect(did.filter((one) => one === 'open')).toHaveLength(2);
  expect(card()).toBe('waking');
});

it('tells of a session that is not among one’s own', () => {
  const { page, card } = setUp([]);
  page.feedEvents.onSessions([]);
  expect(card()).toBe('gone');
});

it('leaves other sessions’ events alone', async () => {
  const { page, card } = setUp([{ session: awake, terminal }]);
  page.person.onArrived();
  await settled();
  page.onSocketStatus({ kind: 'open' });
  page.feedEvents.onSession(sessionWith({ id: 'b'.repeat(26), state: 'lost' }));
  page.feedEvents.onRemoved('b'.repeat(26));
  expect(card()).toBe('terminal');
});
