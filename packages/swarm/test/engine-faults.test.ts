import { once } from 'node:events';
import { type Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { writeSessionLabels } from '@vibe/contracts';
import { type FakeContainer, type FakeEngine, type FakeRegistry, type RunningFakeSwarm, startFakeRegistry, startFakeSwarm } from '@vibe/testkit';
import { Engine } from '../src';
import { newLabels, when } from './engine-under-test';

describe('the Engine client, when the Engine fails', () => {
  let fake: RunningFakeSwarm;
  let registry: FakeRegistry;
  let worker: FakeEngine;
  let engine: Engine;

  beforeEach(async () => {
    registry = await startFakeRegistry();
    fake = await startFakeSwarm({ registries: { 'registry:5000': { url: registry.url } } });
    worker = fake.engine('worker1');
    engine = await Engine.connect(worker.address);
  });
  afterEach(async () => {
    await fake.stop();
    await registry.stop();
  });

  const runSession = async (): Promise<FakeContainer> => {
    const image = await worker.node.load('base:1', new Map([['/etc/base', 'base']]));
    return worker.node.run({ name: 'session', image, reference: 'base:1', labels: writeSessionLabels(newLabels()) });
  };

  it('makes a call no dearer by those that are under way: nothing spells them out', async () => {
    // docker-modem inspects all of its options for every call, its agent among them, whoever reads its debug log.
    const { agent } = (engine as unknown as { connection: { docker: { modem: { agent: Agent } } } }).connection.docker.modem;
    const held = worker.http.hold(/GET .*\/containers\/x\/json/);
    const asked = engine.inspectContainer('x');
    await held.reached;
    expect(Object.values(agent.sockets)).toHaveLength(1);
    expect(inspect({ agent }, { showHidden: true, depth: null })).toBe('{ agent: Agent }');
    held.release();
    await asked;
  });

  it('does not take a layer that the Engine could not measure for an empty one (F27)', async () => {
    const container = await runSession();
    container.isMeasurable = false;
    expect((await engine.inspectContainer(container.id, { isSizeWanted: true }))?.sizeRw).toBeNull();
  });

  it('tells of all nodes although one of them has joined by half and has no name', async () => {
    const half = { ID: 'half', Description: { Platform: {} }, Spec: { Role: 'worker', Availability: 'active' }, Status: { State: 'unknown' } };
    const whole = { ...half, ID: 'whole', Description: { Hostname: 'm' }, Status: { State: 'ready' } };
    const server = createServer((request, answer) => {
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify(request.url?.endsWith('/nodes') === true ? [half, whole, { ...half, ID: 'bare', Description: null }] : { ApiVersion: '1.44', MinAPIVersion: '1.24', Version: '26' }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const asked = await Engine.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    expect((await asked.listNodes()).map(({ node_id, hostname }) => [node_id, hostname])).toEqual([['half', 'half'], ['whole', 'm'], ['bare', 'bare']]);
    server.close();
  });

  it('calls it unreachable when nobody listens, and worth another try', async () => {
    await worker.http.close();
    for (const call of [() => engine.ping(), () => engine.nodeInfo(), () => engine.inspectContainer('x'), () => engine.removeImage('x'), () => engine.followContainerEvents({ signal: new AbortController().signal, onOpen: () => undefined, onEvent: () => undefined })]) {
      await expect(call()).rejects.toMatchObject({ code: 'engine_unreachable', retryable: true });
    }
    await expect(Engine.connect(worker.address)).rejects.toMatchObject({ code: 'engine_unreachable' });
    await expect(Engine.connect({ socketPath: '/nowhere/docker.sock' })).rejects.toMatchObject({ code: 'engine_unreachable' });
  });

  it('calls it unreachable when it goes away in the middle of a commit, and works again when it is back', async () => {
    const container = await runSession();
    const held = worker.http.hold(/^POST \/commit/);
    const committing = engine.commitContainer(container.id, { repository: 'registry:5000/vibe-x', tag: 'a', labels: {} });
    await held.reached;
    const outcome = expect(committing).rejects.toMatchObject({ code: 'engine_unreachable' });
    await worker.http.close();
    await outcome;
    await worker.http.listen();
    await engine.ping();
  });

  it('does not wait for ever for an answer that was cut off in its middle', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/version') return response.end(JSON.stringify({ Version: '26.1.5', ApiVersion: '1.45' }));
      response.writeHead(200, { 'content-length': '100' });
      response.write('[', () => response.destroy());
      return undefined;
    }).listen(0, '127.0.0.1');
    const { port } = (await when('it listens', async () => server.address())) as AddressInfo;
    const cut = await Engine.connect({ host: '127.0.0.1', port, callLimitMs: 200 });
    await expect(cut.listSessionContainers()).rejects.toMatchObject({ code: 'engine_timeout', retryable: true });
    server.close();
  });

  it('keeps the status of a refusal, and retries only what may change by itself', async () => {
    const held = worker.http.hold(/^GET \/info/);
    const asked = engine.nodeInfo();
    await held.reached;
    held.fail(500);
    await expect(asked).rejects.toMatchObject({ code: 'engine_error', details: { status: 500 }, retryable: true });
    await expect(engine.listSessionServices()).rejects.toMatchObject({ code: 'engine_error', details: { status: 503 } });
    await expect(engine.tagImage('none', { repository: 'x', tag: 'y' })).rejects.toMatchObject({ code: 'engine_error', details: { status: 404 }, retryable: false });
  });

  it('ends a commit that is no longer wanted at once, whatever the Engine still does', async () => {
    const container = await runSession();
    container.pause();
    const held = worker.http.hold(/^POST \/commit/);
    const stop = new AbortController();
    const reason = new Error('the user came back');
    const committing = engine.commitContainer(container.id, { repository: 'registry:5000/vibe-x', tag: 'a', labels: {}, signal: stop.signal });
    await held.reached;
    stop.abort(reason);
    await expect(committing).rejects.toBe(reason);
    held.release();
    expect((await engine.inspectContainer(container.id))?.state).toBe('paused');
  });

  it.each([
    ['tells an error in its stream', 'fails'],
    ['is cut off', 'cuts'],
  ] as const)('fails when a push %s', async (_, fault) => {
    const container = await runSession();
    await engine.commitContainer(container.id, { repository: 'registry:5000/vibe-x', tag: 'a', labels: {} });
    worker.node.pushFault = fault;
    await expect(engine.pushImage({ repository: 'registry:5000/vibe-x', tag: 'a' })).rejects.toMatchObject({ retryable: true, code: fault === 'cuts' ? 'engine_unreachable' : 'transfer_failed' });
    worker.node.pushFault = null;
    const { digest } = await engine.pushImage({ repository: 'registry:5000/vibe-x', tag: 'a' });
    expect(registry.store.manifest('vibe-x', 'a')?.digest).toBe(digest);
  });

  it('believes a push that lies: only a proof can tell', async () => {
    const container = await runSession();
    await engine.commitContainer(container.id, { repository: 'registry:5000/vibe-x', tag: 'a', labels: {} });
    worker.node.pushFault = 'lies';
    await expect(engine.pushImage({ repository: 'registry:5000/vibe-x', tag: 'a' })).resolves.toMatchObject({ digest: expect.stringMatching(/^sha256:/) as string });
    expect(registry.store.manifest('vibe-x', 'a')).toBeUndefined();
  });

  it('says when the stream of events ended, so that the caller looks at everything again', async () => {
    const following = engine.followContainerEvents({ signal: new AbortController().signal, onOpen: () => worker.node.events.emit('cut'), onEvent: () => undefined });
    await expect(following).rejects.toMatchObject({ code: 'engine_unreachable', retryable: true });
  });

  it('takes events one at a time: a slow listener holds up the stream and loses none', async () => {
    const stop = new AbortController();
    const heard: string[] = [];
    let atWork = 0;
    let opened: () => void = () => undefined;
    const open = new Promise<void>((resolve) => (opened = resolve));
    const following = engine.followContainerEvents({
      signal: stop.signal,
      onOpen: opened,
      onEvent: async ({ action }) => {
        atWork += 1;
        expect(atWork).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        heard.push(action);
        atWork -= 1;
      },
    });
    await open;
    const container = await runSession();
    for (let i = 0; i < 20; i += 1) {
      container.pause();
      container.unpause();
    }
    await when('all are heard', async () => heard.length === 41);
    stop.abort();
    await following;
  });
});

describe('the version of the API', () => {
  it.each([
    ['1.45', 'v1.44'],
    ['1.44', 'v1.44'],
    ['1.41', 'v1.41'],
    ['1.9', null],
    ['1.40', null],
  ])('of an Engine that speaks up to %s is %s', async (apiVersion, wanted) => {
    const fake = await startFakeSwarm({ apiVersion, nodes: [{ name: 'one', role: 'manager' }] });
    const connecting = Engine.connect(fake.engine('one').address);
    if (wanted === null) {
      await expect(connecting).rejects.toMatchObject({ code: 'engine_too_old' });
    } else {
      const engine = await connecting;
      expect(engine.apiVersion).toBe(wanted);
      await engine.ping();
    }
    await fake.stop();
  });
});
