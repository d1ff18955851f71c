import { Drive } from './process-drive';
import type { ServiceProcess } from './process-child';
import { type Ground, layGround } from './process-ground';
import { journeys } from './process-journeys';
import { RedisProxy } from './process-redis-proxy';
import { Stage } from './process-stage';
import { whenTrue } from './process-when';

jest.setTimeout(300_000);

/** A script of ours on a session's record, as it is on the wire. */
const SCRIPT_ON_RECORD = /evalsha\r\n[\s\S]*\r\nsession:[a-z0-9]{26}\r\n/;
/** The one move that makes a snapshot the truth. */
const COMMIT_POINT = /evalsha\r\n[\s\S]*snapshot_digest/;

/** A life may take another way than the one before (a node that needs no pull). */
const LIVES_MAX = 4;

let ground: Ground;
let stage: Stage;
let proxy: RedisProxy;
let drive: Drive;
let agent: ServiceProcess;

beforeAll(async () => {
  ground = await layGround();
  stage = await Stage.start(ground);
  proxy = await RedisProxy.start(stage.redisServer.port);
  drive = new Drive(stage);
  await stage.stand('reaper');
  agent = await stage.startProcess('hibernator-worker', { redisUrl: proxy.url });
});
afterAll(async () => {
  await stage.stop();
  await proxy.cut();
  await ground.remove();
});

const live = () => journeys['a whole life'](drive, () => Promise.resolve());

/** What one life asks Engines to change. */
async function changesOfLife(): Promise<ReadonlySet<string>> {
  const from = stage.engine.calls.length;
  await live();
  return new Set(stage.engine.calls.slice(from).filter((call) => !call.startsWith('GET')).map(shapeOf));
}

/** A session that was frozen, and whose push waits for the test. */
async function untilPushed(): Promise<{ id: string; letGo: () => void }> {
  const id = await drive.createRunning();
  drive.type(id, 'one');
  const held = stage.engine.hold(/POST \/images\/.*\/push/);
  await drive.sleep(id, { until: held.reached });
  return { id, letGo: () => held.release() };
}

/** It lost Redis and says that it could not look whether to thaw. */
const untilBlind = () => whenTrue('the agent cannot read the record', () => agent.said.includes('could not look whether to thaw'));

describe('an agent that never hears what Redis answered', () => {
  it('ends every life well, whichever answer about its record was lost', async () => {
    let lost = 0;
    for (;;) {
      const reply = proxy.loseReply(SCRIPT_ON_RECORD, { n: lost + 1 });
      await live();
      if (!reply.isLost) break;
      lost += 1;
    }
    // Two claims of a place, six steps, four moves and more.
    expect(lost).toBeGreaterThan(10);
  });

  it('leaves a session asleep whose commit point was written although nobody told it (F6b)', async () => {
    const { id, letGo } = await untilPushed();
    const { container } = stage.swarm.containersOf(id)[0]!;
    let thaws = 0;
    const count = ({ action }: { action: string }) => (thaws += action === 'unpause' ? 1 : 0);
    stage.node.events.on('event', count);
    const reply = proxy.loseReply(COMMIT_POINT);
    letGo();
    await drive.until(id, 'hibernated');
    await whenTrue('its service is retired', () => !container.isAlive);
    stage.node.events.off('event', count);
    expect(reply.isLost).toBe(true);
    expect(thaws).toBe(0);
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  });

  it('leaves a frozen container alone while Redis cannot be read, and puts it to sleep afterwards (F6b)', async () => {
    const { id, letGo } = await untilPushed();
    await proxy.cut();
    letGo();
    await untilBlind();
    expect(stage.containerOf(id).status).toBe('paused');
    await proxy.mend();
    await drive.sleep(id);
    await drive.wake(id);
    drive.mustHold(id, 'one');
    await drive.remove(id);
  });

  it('thaws what came back while Redis could not be read, as soon as it can (F6b)', async () => {
    const { id, letGo } = await untilPushed();
    await proxy.cut();
    await drive.comeBack(id);
    drive.type(id, 'two');
    letGo();
    await whenTrue('the agent has lost Redis', () => agent.said.includes('redis is away'));
    expect(stage.containerOf(id).status).toBe('paused');
    await proxy.mend();
    await whenTrue('it is thawed', () => stage.containerOf(id).status === 'running');
    drive.mustHold(id, 'one', 'two');
    await drive.sleep(id);
    await drive.wake(id);
    drive.mustHold(id, 'one', 'two');
    await drive.remove(id);
  });
});

describe('agents that never hear what their Engine answered', () => {
  it.each(['alone', 'beside another one'])('end every life well, whichever answer to a change was lost: %s', async (company) => {
    if (company !== 'alone') await stage.startProcess('hibernator-worker');
    const first = await changesOfLife();
    // What only one of two lives needed (a base image that was pulled meanwhile) is no call of every life.
    const second = await changesOfLife();
    const changes = [...first].filter((shape) => second.has(shape));
    expect(changes.length).toBeGreaterThan(7);
    for (const shape of changes) {
      let isLost = false;
      void stage.engine.loseReply(new RegExp(`^${shape}`)).then(() => (isLost = true));
      for (let lives = 0; lives < LIVES_MAX && !isLost; lives += 1) await live();
      expect({ shape, isLost }).toEqual({ shape, isLost: true });
    }
  });
});

describe('agents that never hear what the registry answered', () => {
  it.each(['DELETE', 'PUT'])('end every life well: %s', async (method) => {
    const calls = new RegExp(`^${method} `);
    const from = stage.registry.calls.length;
    const isMet = () => stage.registry.calls.slice(from).some((call) => calls.test(call));
    stage.registry.fault(calls, 'unheard');
    void whenTrue('an answer was lost', isMet).finally(() => stage.registry.clearFaults());
    await live();
    expect(isMet()).toBe(true);
  });
});

/** The call without what names one container, image, service or secret: `POST /containers/[^/?]+/pause`. */
function shapeOf(call: string): string {
  const [method = '', rest = ''] = call.split(' ');
  const path = (rest.split('?')[0] ?? '').split('/').filter((part) => part !== '');
  const verbs = new Set(['create', 'push', 'pause', 'unpause', 'kill', 'commit']);
  if (path[0] === 'images') return verbs.has(path.at(-1) ?? '') ? `${method} /images/.*/${path.at(-1)}` : `${method} /images/`;
  return `${method} /${path.map((part, i) => (i === 0 || verbs.has(part) ? part : '[^/?]+')).join('/')}`;
}
