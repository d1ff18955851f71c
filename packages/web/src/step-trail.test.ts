import { iso, NOW, sessionWith } from '../test/session-fixture';
import { follow, trailLines, type StepTrail } from './step-trail';

const waking = sessionWith({ state: 'waking', state_since: iso(-1_000), step: 'queued' });

function walk(...sights: readonly (readonly [Parameters<typeof follow>[1], number])[]): StepTrail | null {
  return sights.reduce<StepTrail | null>((trail, [session, at]) => follow(trail, session, NOW + at), null);
}

const shown = (trail: StepTrail | null, at: number) => (trail === null ? [] : trailLines(trail, NOW + at).map(({ progress, elapsedMs }) => [progress, elapsedMs]));

it('times every step from one sight to the next, the first since the state began', () => {
  const trail = walk([waking, 0], [{ ...waking, step: 'asked' }, 500], [{ ...waking, step: 'starting' }, 2_000]);
  expect(shown(trail, 2_300)).toEqual([['done', 1_500], ['done', 1_500], ['now', 300], ['next', null]]);
});

it('knows no times of steps it did not see', () => {
  const trail = walk([{ ...waking, step: 'starting' }, 0]);
  expect(shown(trail, 100)).toEqual([['done', null], ['done', null], ['now', 100], ['next', null]]);
});

it('ends a start with the connection, and begins anew with the next generation', () => {
  const started = walk([waking, 0], [sessionWith({ generation: 2 }), 3_000]);
  expect(shown(started, 3_200).at(-1)).toEqual(['now', 200]);
  expect(follow(started, { ...waking, generation: 3 }, NOW)?.reached).toHaveLength(1);
});

it('follows a sleep, and nothing where no work is under way', () => {
  const sleep = walk([sessionWith({ state: 'hibernating', step: 'freezing' }), 0], [sessionWith({ state: 'hibernating', step: 'pushing' }), 800]);
  expect(shown(sleep, 1_000).map(([progress]) => progress)).toEqual(['done', 'done', 'done', 'done', 'now', 'next']);
  expect(follow(sleep, sessionWith({ state: 'hibernated' }), NOW)).toBeNull();
  expect(follow(null, sessionWith(), NOW)).toBeNull();
});
