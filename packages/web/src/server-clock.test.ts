import { createServerClock } from './server-clock';

it('follows the service where the machine’s clock is wrong, and nothing finer', () => {
  const clock = createServerClock(() => 1_000_000);
  clock.learn(new Date(1_002_000).toUTCString());
  expect(clock.now()).toBe(1_000_000);
  clock.learn(new Date(4_600_000).toUTCString());
  expect(clock.now()).toBe(4_600_000);
  clock.learn(null);
  clock.learn('nonsense');
  expect(clock.now()).toBe(4_600_000);
});
