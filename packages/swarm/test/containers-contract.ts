import { repositoryOf, writeSessionLabels, writeSnapshotLabels } from '@vibe/contracts';
import { type EngineUnderTest, newLabels, when } from './engine-under-test';

const ABSENT = 'f'.repeat(64);

/** What every Engine must do with containers, the real one and the fake alike. */
export function containersContract(get: () => EngineUnderTest): void {
  const runSession = async () => {
    const labels = newLabels();
    const containerId = await get().run(writeSessionLabels(labels));
    return { labels, containerId, id: labels.session_id };
  };
  const commitOptions = (labels: ReturnType<typeof newLabels>, tag = 'g1-r3-aaaaaaaa') => ({
    repository: `${get().registryHost}/${repositoryOf(labels.session_id)}`,
    tag,
    labels: writeSnapshotLabels({ ...labels, name: 'renamed since', rev: 3, last_activity: 2, taken: 1 }),
  });

  it('answers, at a version that both know', async () => {
    const { engine } = get();
    await engine.ping();
    expect(engine.apiVersion).toMatch(/^v1\.4[1-4]$/);
  });

  it("lists sessions' containers, the ended ones too, and nobody else's", async () => {
    const { engine, run, kill } = get();
    const one = await runSession();
    const two = await runSession();
    const stranger = await run({ 'vibe.session': 'not whole' });
    await kill(two.containerId);
    const listed = await engine.listSessionContainers();
    expect(listed).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...one.labels, container_id: one.containerId, state: 'running', service_id: null }),
        expect.objectContaining({ ...two.labels, container_id: two.containerId, state: 'exited' }),
      ]),
    );
    expect(listed.map(({ container_id }) => container_id)).not.toContain(stranger);
    expect((await engine.listSessionContainers({ sessionId: one.id })).map(({ container_id }) => container_id)).toEqual([one.containerId]);
  });

  it('shows a container, how it ended, and null for one that is not there', async () => {
    const { engine, kill, remove } = get();
    const { labels, containerId } = await runSession();
    expect(await engine.inspectContainer(containerId)).toMatchObject({ containerId, session: labels, state: 'running', exitCode: 0, isOomKilled: false, restartCount: 0, sizeRw: null });
    expect((await engine.inspectContainer(containerId))?.pid).toBeGreaterThan(0);
    await kill(containerId);
    const ended = await engine.inspectContainer(containerId);
    expect(ended).toMatchObject({ state: 'exited', exitCode: 137, pid: 0 });
    expect(Date.parse(ended?.finishedAt ?? '')).toBeGreaterThan(Date.parse(ended?.startedAt ?? ''));
    await remove(containerId);
    expect(await engine.inspectContainer(containerId)).toBeNull();
  });

  it('says how much a container wrote, when asked', async () => {
    const { engine, write } = get();
    const { containerId } = await runSession();
    await write(containerId, '/home/a', 'x'.repeat(70_000));
    expect((await engine.inspectContainer(containerId, { isSizeWanted: true }))?.sizeRw).toBeGreaterThanOrEqual(70_000);
  });

  it('lists what a container wrote, names that layers keep for themselves included, frozen or not', async () => {
    const { engine, write } = get();
    const { containerId } = await runSession();
    await write(containerId, '/home/.wh.note', 'x');
    expect(await engine.changedPaths(containerId)).toContain('/home/.wh.note');
    await engine.pauseContainer(containerId);
    expect(await engine.changedPaths(containerId)).toContain('/home/.wh.note');
  });

  it('counts a sparse file by its apparent size, which is what a commit writes of it (F27)', async () => {
    const { engine, writeHole } = get();
    const { containerId } = await runSession();
    await writeHole(containerId, '/home/hole', 8 << 20);
    expect((await engine.inspectContainer(containerId, { isSizeWanted: true }))?.sizeRw).toBeGreaterThanOrEqual(8 << 20);
  });

  it('freezes and thaws, any number of times', async () => {
    const { engine } = get();
    const { containerId } = await runSession();
    expect(await engine.unpauseContainer(containerId)).toBe(false);
    expect(await engine.pauseContainer(containerId)).toBe('paused');
    expect(await engine.pauseContainer(containerId)).toBe('paused');
    expect((await engine.inspectContainer(containerId))?.state).toBe('paused');
    expect(await engine.unpauseContainer(containerId)).toBe(true);
    expect(await engine.unpauseContainer(containerId)).toBe(false);
    expect((await engine.inspectContainer(containerId))?.state).toBe('running');
  });

  it('says of an ended or absent container that there is nothing to freeze, thaw or signal', async () => {
    const { engine, kill } = get();
    const { containerId } = await runSession();
    await kill(containerId);
    expect(await engine.pauseContainer(containerId)).toBe('not_running');
    expect(await engine.unpauseContainer(containerId)).toBe(false);
    expect(await engine.signalContainer(containerId, 'SIGUSR1')).toBe('not_running');
    expect(await engine.pauseContainer(ABSENT)).toBe('absent');
    expect(await engine.unpauseContainer(ABSENT)).toBe(false);
    expect(await engine.signalContainer(ABSENT, 'SIGUSR1')).toBe('not_running');
  });

  it('keeps the CPU counter to the nanosecond from freeze to thaw, through a commit, and moves it with the thaw', async () => {
    const { engine } = get();
    const { labels, containerId } = await runSession();
    const running = await engine.cpuCounter(containerId);
    expect(running).toBeGreaterThan(0);
    await engine.pauseContainer(containerId);
    const frozen = await engine.cpuCounter(containerId);
    expect(frozen).toBeGreaterThanOrEqual(running);
    await engine.commitContainer(containerId, commitOptions(labels));
    expect((await engine.inspectContainer(containerId))?.state).toBe('paused');
    expect(await engine.cpuCounter(containerId)).toBe(frozen);
    await engine.unpauseContainer(containerId);
    await when('the counter moves after the thaw', async () => (await engine.cpuCounter(containerId)) > frozen);
  });

  it('has no CPU counter for what does not run', async () => {
    const { engine, kill } = get();
    const { containerId } = await runSession();
    await kill(containerId);
    await expect(engine.cpuCounter(containerId)).rejects.toMatchObject({ code: 'container_not_running' });
    await expect(engine.cpuCounter(ABSENT)).rejects.toMatchObject({ code: 'engine_error', details: { status: 404 } });
  });

  it('signals what runs, and refuses to signal what is frozen: that would thaw it', async () => {
    const { engine } = get();
    const { containerId } = await runSession();
    expect(await engine.signalContainer(containerId, 'SIGUSR1')).toBe('sent');
    await engine.pauseContainer(containerId);
    await expect(engine.signalContainer(containerId, 'SIGUSR1')).rejects.toMatchObject({ code: 'would_thaw' });
    expect((await engine.inspectContainer(containerId))?.state).toBe('paused');
  });

  it('removes a container, be it running, frozen or ended, any number of times', async () => {
    const { engine, kill } = get();
    const [running, frozen, ended] = [await runSession(), await runSession(), await runSession()];
    await engine.pauseContainer(frozen.containerId);
    await kill(ended.containerId);
    for (const { containerId } of [running, frozen, ended]) {
      expect(await engine.removeContainer(containerId)).toBe('removed');
      expect(await engine.inspectContainer(containerId)).toBeNull();
      expect(await engine.removeContainer(containerId)).toBe('absent');
    }
  });

  it('commits a frozen container: its files, its environment, its labels and ours over them', async () => {
    const { engine, write, read, run, baseImage } = get();
    const { labels, containerId } = await runSession();
    await write(containerId, '/home/typed', 'by a person');
    await engine.pauseContainer(containerId);
    const options = commitOptions(labels);
    const { imageId } = await engine.commitContainer(containerId, options);
    const reference = `${options.repository}:${options.tag}`;
    expect(await engine.inspectImage(reference)).toMatchObject({ imageId, labels: { ...options.labels, base: 'yes' }, hasVolumes: false });
    expect((await engine.inspectImage(reference))?.layerCount).toBe(((await engine.inspectImage(baseImage))?.layerCount ?? 0) + 1);
    const again = await run({}, reference);
    expect(await read(again, '/home/typed')).toBe('by a person');
  });

  it('commits a container that ended', async () => {
    const { engine, write, kill, run, read } = get();
    const { labels, containerId } = await runSession();
    await write(containerId, '/home/typed', 'before it ended');
    await kill(containerId);
    const options = commitOptions(labels);
    await engine.commitContainer(containerId, options);
    expect(await read(await run({}, `${options.repository}:${options.tag}`), '/home/typed')).toBe('before it ended');
    await expect(engine.commitContainer(ABSENT, options)).rejects.toMatchObject({ code: 'engine_error', details: { status: 404 } });
  });

  it("tells what happens to sessions' containers, in order, until it is told to stop", async () => {
    const { engine, run, kill, remove } = get();
    const stop = new AbortController();
    const heard: string[] = [];
    let opened: () => void = () => undefined;
    const open = new Promise<void>((resolve) => (opened = resolve));
    const following = engine.followContainerEvents({ signal: stop.signal, onOpen: opened, onEvent: ({ action, containerId, sessionId }) => void heard.push(`${action} ${containerId} ${sessionId}`) });
    await open;
    const stranger = await run({ other: 'label' });
    const { containerId, id } = await runSession();
    await engine.pauseContainer(containerId);
    await engine.unpauseContainer(containerId);
    await kill(containerId);
    await remove(containerId);
    const mine = () => heard.filter((event) => event.includes(containerId));
    await when('the end is heard', async () => mine().some((event) => event.startsWith('destroy')));
    expect(mine()).toEqual(['start', 'pause', 'unpause', 'die', 'destroy'].map((action) => `${action} ${containerId} ${id}`));
    expect(heard.filter((event) => event.includes(stranger))).toEqual([]);
    stop.abort();
    await following;
  });

  it('throws the reason of an abort, before and during a call', async () => {
    const { engine } = get();
    const reason = new Error('no longer wanted');
    await expect(engine.listSessionContainers({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stop = new AbortController();
    const listing = engine.listSessionContainers({ signal: stop.signal });
    stop.abort(reason);
    await expect(listing).rejects.toBe(reason);
  });
}
