import { readAudit } from '@vibe/session-store';
import type { ContainerEvent } from '@vibe/swarm';
import { followContainers } from '../src/follow-containers';
import { Agents } from './agents';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const NODES = ['worker1', 'worker2'];
const twice = new AbortController();

/** From now on agents follow the events of their node a second time, beside the stream they have: the function that comes back tells them all of it once more, and waits for what they do about it. */
async function hearTwice(): Promise<() => Promise<void>> {
  const again: (() => void | Promise<void>)[] = [];
  const spies = NODES.flatMap((name) => [jest.spyOn(agents.agent(name).watch, 'started'), jest.spyOn(agents.agent(name).watch, 'died')]);
  const opened = NODES.map(
    (name) =>
      new Promise<void>((resolve) => {
        const { parts, watch } = agents.agent(name);
        const engine = Object.assign(Object.create(parts.engine) as typeof parts.engine, {
          followContainerEvents: (options: Parameters<typeof parts.engine.followContainerEvents>[0]) => {
            const onEvent = (event: ContainerEvent) => {
              again.push(() => options.onEvent(event));
              return options.onEvent(event);
            };
            return parts.engine.followContainerEvents({ ...options, onEvent });
          },
        });
        followContainers({ ...parts, engine }, watch, twice.signal, () => Promise.resolve(resolve()));
      }),
  );
  await Promise.all(opened);
  return async () => {
    for (const tell of again.splice(0)) await tell();
    await Promise.allSettled(spies.flatMap(({ mock }) => mock.results.map(({ value }) => value as Promise<void>)));
  };
}

/** Opens, falls asleep, fails to wake, wakes and is killed. Says what was written down of it. */
async function life(whileItWakes: () => Promise<void>) {
  const { id } = await agents.asleep();
  agents.fake.swarm.startPlan = () => ({ exitCode: 1 });
  await agents.claimWake(id);
  await agents.drain();
  const { failures } = await agents.until(id, 'hibernated', (record) => record.failures > 0);
  agents.fake.swarm.startPlan = () => 'listens';
  await agents.claimWake(id);
  await whileItWakes();
  await agents.drain();
  await agents.until(id, 'running');
  agents.containerOf(id).end(137, { isOomKilled: true });
  await agents.until(id, 'lost');
  await whileItWakes();
  await agents.drain();
  const { gen, rev, reason } = await agents.require(id);
  const moves = (await readAudit(agents.redis, 1_000)).filter(({ session }) => session === id).map((entry) => [entry.from, entry.to, entry.gen, entry.rev, entry.reason]);
  return { failures, moves, last: { gen, rev, reason }, services: agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id)).length };
}

it('events that come twice, at once and once more when the session has moved on, leave the same records as those that come once (F22)', async () => {
  const once = await life(() => Promise.resolve());
  const tellAgain = await hearTwice();
  expect(await life(tellAgain)).toEqual(once);
  twice.abort();
  expect(once.moves.map(([, to]) => to).reverse()).toEqual(['creating', 'running', 'hibernating', 'hibernated', 'waking', 'hibernated', 'waking', 'running', 'lost']);
});
