import { Drive } from './process-drive';
import { type Ground, layGround } from './process-ground';
import type { ServiceProcess } from './process-child';
import { Stage } from './process-stage';
import { whenTrue } from './process-when';

jest.setTimeout(300_000);

/** Longer than a request waits for its answer (2 s), than the rounds of agent and reaper here, and than a lock on a job. */
const TROUBLE_MS = 4_000;

let ground: Ground;
let stage: Stage;
let drive: Drive;
let processes: ServiceProcess[];
const pauses: string[] = [];

beforeAll(async () => {
  ground = await layGround();
  stage = await Stage.start(ground);
  drive = new Drive(stage);
  processes = [await stage.stand('reaper'), await stage.stand('hibernator-worker')];
  stage.redis.on('error', () => undefined); // it is away on purpose
  stage.node.events.on('event', ({ action, container }) => action === 'pause' && pauses.push(container.id));
});
afterAll(async () => {
  await stage.stop();
  await ground.remove();
});

const passing = () => new Promise((resolve) => setTimeout(resolve, TROUBLE_MS));

const troubles: readonly { readonly kind: string; readonly begin: () => void | Promise<void>; readonly end: () => void | Promise<void> }[] = [
  { kind: 'away', begin: () => stage.redisServer.kill(), end: () => stage.redisServer.restart() },
  { kind: 'silent', begin: () => stage.redisServer.silence(), end: () => stage.redisServer.speak() },
  { kind: 'full', begin: () => stage.redisServer.fill(true), end: () => stage.redisServer.fill(false) },
];

describe.each(troubles)('while Redis is $kind (F21)', ({ begin, end }) => {
  it('no hibernation starts, the workers wait, and what waited is done when Redis is back', async () => {
    const [waiting, pushed] = [await drive.createRunning(), await drive.createRunning()];
    drive.type(waiting, 'one');
    drive.type(pushed, 'two');
    const held = stage.engine.hold(new RegExp(`POST /images/.*${pushed}/push`));
    await drive.sleep(pushed, { until: held.reached });
    const frozen = stage.containerOf(pushed);
    pauses.length = 0;

    // Claimed, and whoever claimed it died before its job was added: the reaper adds it, when it can.
    await drive.claim(await drive.until(waiting, 'running'), 'hibernating', { hibernate_reason: 'asked' });
    await begin();
    held.release();
    try {
      await passing();
      expect(pauses).toEqual([]);
      expect(stage.containerOf(waiting).status).toBe('running');
      expect(frozen.status).toBe('paused');
      expect(processes.map(({ endedBy }) => endedBy)).toEqual([null, null]);
    } finally {
      await end();
    }
    await whenTrue('Redis answers', () => stage.store.now().then(() => true, () => false));
    await Promise.all([drive.sleep(waiting), drive.sleep(pushed)]);
    for (const [id, line] of [[waiting, 'one'], [pushed, 'two']] as const) {
      await drive.wake(id);
      drive.mustHold(id, line);
      await drive.remove(id);
    }
  });
});
