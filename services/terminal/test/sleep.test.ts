import { setTimeout } from 'node:timers/promises';
import { buildTerminalImage, describeOnEngine, docker, removeWhatWasMade, uniqueName, until } from './engine';
import { startSession, type Session } from './session';
import type { TtydClient } from './ttyd-client';

const TEST_LIMIT_MS = 120_000;

/** Tells the launcher to save and resolves when it says that it has: a new file at /run/vibe/saved. Answers how long that took. */
async function save(session: Session): Promise<number> {
  const mark = () => session.run('stat -c %i-%Y /run/vibe/saved 2> /dev/null || echo none');
  const before = await mark();
  const start = Date.now();
  await session.signal('USR1');
  await until('the save is over', async () => (await mark()) !== before);
  return Date.now() - start;
}

describeOnEngine('a session that sleeps', () => {
  const images: string[] = [];
  let image: string;
  let gen = 1;

  beforeAll(async () => {
    image = await buildTerminalImage();
  }, 600_000);
  afterEach(() => removeWhatWasMade(), TEST_LIMIT_MS);
  afterAll(() => removeWhatWasMade([], images), TEST_LIMIT_MS);

  /** Saves, freezes, commits and removes, as the agent does, then wakes it as the next generation. */
  async function sleepAndWake(session: Session): Promise<Session> {
    await save(session);
    await docker('pause', session.name);
    const snapshot = uniqueName('snapshot').toLowerCase();
    await docker('commit', '--pause=false', session.name, snapshot);
    images.push(snapshot);
    await docker('rm', '-f', session.name);
    return startSession({ image: snapshot, gen: ++gen });
  }

  async function say(terminal: TtydClient, line: string, answer: RegExp): Promise<void> {
    terminal.enter(line);
    await terminal.sees(answer);
  }

  it('comes back with its screen, its directory, its files and its history, under another base and credential', async () => {
    const session = await startSession({ image });
    const terminal = await session.open();
    await say(terminal, 'mkdir -p ~/deep/er && cd ~/deep/er && echo content > file && echo seen-$((1 + 1))', /seen-2/);
    await say(terminal, 'seq -f line-%g 200; echo done-$((1 + 1))', /done-2/);
    terminal.close();

    const woken = await sleepAndWake(session);
    expect(woken.base).not.toBe(session.base);
    const again = await woken.open();
    await say(again, 'echo "[$PWD]" $(cat file)', /\[\/home\/vibe\/deep\/er\] content/);
    const screen = await woken.tmux('capture-pane', '-p', '-S', '-', '-t', 'main');
    expect(screen).toMatch(/seen-2\n[\s\S]*line-1\nline-2\n[\s\S]*line-200\ndone-2\n[\s\S]*your terminal slept from \d{4}-\d\d-\d\d \d\d:\d\d to \d\d:\d\d UTC/);
    expect(screen.match(/Welcome/g)).toHaveLength(1);
    again.type('\u001b[A\u001b[A');
    await again.sees(/seq -f line-%g 200/);
    again.close();
  }, TEST_LIMIT_MS);

  it('shows what it saved once, and leaves nothing of it behind', async () => {
    const first = await startSession({ image });
    const terminal = await first.open();
    await say(terminal, 'echo once-$((1 + 1))', /once-2/);
    terminal.close();
    const woken = await sleepAndWake(first);
    const lines = async (session: Session) => (await session.tmux('capture-pane', '-p', '-S', '-', '-t', 'main')).match(/^once-2$/gm);
    await until('it is shown', async () => (await lines(woken))?.length === 1);
    expect(await woken.run('ls ~/.vibe')).not.toContain('saved');
    const twice = await sleepAndWake(woken);
    await until('it is shown', async () => (await lines(twice))?.length === 1);
    expect(await twice.run('find ~/.vibe -name "*.screen"')).toBe('');
  }, TEST_LIMIT_MS);

  it('brings back windows, panes, their names, layout and directories', async () => {
    const session = await startSession({ image });
    const pane = (target: string, command: string) => session.tmux('send-keys', '-t', target, command, 'Enter');
    await session.run('mkdir -p ~/a ~/b "$HOME/with space"');
    await session.tmux('rename-window', '-t', 'main:0', 'one two');
    await session.tmux('new-window', '-t', 'main', '-c', '/home/vibe/a');
    await session.tmux('split-window', '-h', '-t', 'main:1', '-c', '/home/vibe/b');
    await session.tmux('split-window', '-v', '-t', 'main:1.1', '-c', '/home/vibe/with space');
    await session.tmux('resize-pane', '-t', 'main:1.0', '-x', '20');
    await session.tmux('select-pane', '-t', 'main:1.1');
    await pane('main:1.0', 'echo left-$((1+1))');
    await pane('main:1.2', 'echo corner-$((1+1))');
    const shows = (of: Session, target: string, text: string) => async () => (await of.tmux('capture-pane', '-p', '-S', '-', '-t', target)).includes(text);
    await until('the left one has answered', shows(session, 'main:1.0', 'left-2'));
    await until('so has the corner', shows(session, 'main:1.2', 'corner-2'));
    const picture = '#{window_index} #{?automatic-rename,auto,#{window_name}} #{window_active}#{pane_active} #{pane_left},#{pane_top} #{pane_width}x#{pane_height} #{pane_current_path}';
    const before = await session.tmux('list-panes', '-a', '-F', picture);
    const woken = await sleepAndWake(session);
    expect(await woken.tmux('list-panes', '-a', '-F', picture)).toBe(before);
    expect(before).toContain('one two');
    expect(before).toContain('/home/vibe/with space');
    await until('the left one shows its text', shows(woken, 'main:1.0', 'left-2'));
    await until('so does the corner', shows(woken, 'main:1.2', 'corner-2'));
  }, TEST_LIMIT_MS);

  it('says what the sleep ended, offers it by arrow up, and shows the shell’s screen where an editor had covered it', async () => {
    const session = await startSession({ image });
    const terminal = await session.open();
    await say(terminal, 'echo under-$((1 + 1))', /under-2/);
    await say(terminal, 'less +G /etc/services', /END/);
    terminal.close();
    const woken = await sleepAndWake(session);
    const again = await woken.open();
    const screen = await woken.tmux('capture-pane', '-p', '-S', '-', '-t', 'main');
    expect(screen).toMatch(/under-2\n[\s\S]*ended by the sleep: less \+G \/etc\/services/);
    expect(screen).not.toContain('END');
    again.type('\u001b[A');
    await again.sees(/less \+G \/etc\/services/);
    again.close();
  }, TEST_LIMIT_MS);

  it('wakes to a plain shell where what it left is damaged', async () => {
    const session = await startSession({ image });
    await save(session);
    await session.run('echo "garbage" > ~/.vibe/saved/panes; rm -rf ~/workspace; touch /run/vibe/tmux-1000/stale');
    await docker('commit', session.name, uniqueName('x').toLowerCase()).then((id) => images.push(id));
    await docker('rm', '-f', session.name);
    const woken = await startSession({ image: images.at(-1) ?? '', gen: ++gen });
    const terminal = await woken.open();
    await say(terminal, 'echo fine-$((1 + 1))-$PWD', /fine-2-\/home\/vibe/);
    terminal.close();
  }, TEST_LIMIT_MS);

  it('keeps no secret and no setting of ours in its snapshot', async () => {
    const session = await startSession({ image });
    await save(session);
    const snapshot = uniqueName('snapshot').toLowerCase();
    images.push(snapshot);
    await docker('commit', session.name, snapshot);
    const config = JSON.parse(await docker('image', 'inspect', '-f', '{{json .Config}}', snapshot)) as { Env: string[]; Volumes?: unknown };
    expect(config.Env.map((line) => line.split('=')[0]).sort()).toEqual(['PATH', 'SESSION_EGRESS_ALLOW', 'VIBE_BASE']);
    expect(config.Volumes ?? {}).toEqual({});
    const found = await docker('run', '--rm', '--entrypoint', 'sh', snapshot, '-c', `grep -rlF -- '${session.credential}' /home /run /tmp /var /etc || echo nothing`);
    expect(found).toBe('nothing');
  }, TEST_LIMIT_MS);

  it('tells nobody anything from the save on, until it goes on: what runs in it while it is killed is not acknowledged (I2)', async () => {
    const session = await startSession({ image });
    const terminal = await session.open();
    const state = () => session.run('cut -d" " -f3 "/proc/$(pidof ttyd)/stat"');
    expect(await state()).toBe('S');
    await save(session);
    expect(await state()).toBe('T');
    terminal.enter('echo after-$((1 + 1))');
    // Not frozen after all: it goes on by itself.
    await terminal.sees(/after-2/, 3_000);

    await save(session);
    await docker('pause', session.name);
    await setTimeout(2_000);
    terminal.enter('echo thawed-$((1 + 1))');
    await docker('unpause', session.name);
    await terminal.sees(/thawed-2/, 1_000);
    expect(await state()).toBe('S');
    terminal.close();
  }, TEST_LIMIT_MS);

  it('is saved within 2 s, also with much on its screens', async () => {
    const session = await startSession({ image });
    for (let window = 1; window <= 5; window++) await session.tmux('new-window', '-t', 'main', 'seq 60000; exec bash');
    await until('all have printed', async () => {
      const sizes = (await session.tmux('list-panes', '-a', '-F', '#{history_size}')).split('\n').map(Number);
      return sizes.filter((size) => size >= 49_000).length === 5;
    }, 30_000);
    const tookMs = await save(session);
    console.info(`six panes, 50,000 lines in five: saved after ${tookMs} ms`);
    expect(tookMs).toBeLessThan(2_000);
    expect(Number(await session.run('ls ~/.vibe/saved/*.screen | wc -l'))).toBe(6);
  }, TEST_LIMIT_MS);
});
