import { type SessionRecord, nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { JobQueues, createJobWorker } from '@vibe/session-store';
import { Redis } from 'ioredis';
import { nodeHandlers } from '../src/job-handlers';
import { Agents, settingsOfTest } from './agents';

jest.setTimeout(300_000);

const AT_ONCE = settingsOfTest.HIBERNATIONS_PER_NODE;
const NODE = 'worker1';

let agents: Agents;
let connections: Redis[];
let queues: JobQueues;
let close: () => Promise<void>;

beforeAll(async () => {
  agents = await Agents.start();
  // All sessions of this test are on one node.
  agents.fake.swarm.node('worker2').availability = 'drain';
  connections = [new Redis(agents.redisServer.url, { maxRetriesPerRequest: null }), new Redis(agents.redisServer.url)];
  const [connection, forQueues] = connections as [Redis, Redis];
  queues = new JobQueues(forQueues);
  const stopping = new AbortController();
  const { parts } = agents.agent(NODE);
  // The node's own worker, with as many places as it has.
  const worker = createJobWorker({ queueName: nodeQueueOf(parts.nodeId), catalog: nodeJobs, connection, signal: stopping.signal, settings: { concurrency: AT_ONCE }, handlers: nodeHandlers(parts) });
  worker.on('error', () => undefined);
  close = async () => {
    stopping.abort();
    await worker.close();
    await queues.close();
  };
});
afterAll(async () => {
  await close();
  for (const connection of connections) connection.disconnect();
  await agents.stop();
});

const queue = () => queues.ready(nodeQueueOf(agents.agent(NODE).parts.nodeId));

/** Claims sleep, and hands its job to the node's worker. */
async function claim(record: SessionRecord): Promise<SessionRecord> {
  const claimed = await agents.claimSleep(record);
  for (const { queue: name, payload } of agents.line.waiting.splice(0)) await queues.add(name, nodeJobs.hibernate, payload as { session_id: string; rev: number });
  return claimed;
}

const comeBack = async ({ id, rev }: SessionRecord) => expect((await agents.store.move({ id, rev, to: 'running', actor: 'test' })).outcome).toBe('moved');

it('who returns is back at once although every place of the node is taken and others wait: in line or frozen, before any push has ended (F6)', async () => {
  const { http } = agents.fake.engine(NODE);
  const sessions = [];
  for (let n = 0; n < AT_ONCE + 2; n += 1) sessions.push(await agents.running());
  const busy = sessions.slice(0, AT_ONCE);
  const [inLine, last] = sessions.slice(AT_ONCE) as [(typeof sessions)[0], (typeof sessions)[0]];
  const pauses = (id: string) => http.calls.filter((call) => call.startsWith(`POST /containers/${id}/pause`)).length;

  const held = busy.map(() => http.hold(/POST .*\/push/));
  const claimed = [];
  for (const { record } of busy) claimed.push(await claim(record));
  await Promise.all(held.map(({ reached }) => reached));
  const waits = await claim(inLine.record);
  await claim(last.record);
  expect(await (await queue()).getWaitingCount()).toBe(2);

  await comeBack(waits);
  inLine.container.type('typed in line');
  expect(inLine.container.files.get('/home/vibe/workspace/typed')).toBe('typed in line\n');

  // The other place is taken by a push that does not end.
  const [first] = busy as [(typeof sessions)[0]];
  await comeBack(claimed[0]!);
  await agents.fake.swarm.when('it is thawed', () => first.container.status === 'running');
  expect(await agents.require(first.record.id)).toMatchObject({ state: 'running', container_id: first.container.id });
  for (const { container } of busy.slice(1)) expect(container.status).toBe('paused');

  for (const push of held) push.release();
  for (const { record } of [...busy.slice(1), last]) await agents.until(record.id, 'hibernated');
  expect(await agents.require(inLine.record.id)).toMatchObject({ state: 'running', rev: waits.rev + 1, container_id: inLine.container.id });
  expect([pauses(inLine.container.id), inLine.container.status]).toEqual([0, 'running']);
  expect(agents.containerOf(first.record.id)).toBe(first.container);
});
