import { buildTerminalImage, describeOnEngine, docker, removeWhatWasMade, until } from './engine';
import { startSession, type Session } from './session';
import { openTtyd } from './ttyd-client';

const TEST_LIMIT_MS = 180_000;

describeOnEngine('the shell of a session', () => {
  let image: string;
  let session: Session;

  beforeAll(async () => {
    image = await buildTerminalImage();
  }, 600_000);
  beforeEach(async () => {
    session = await startSession({ image });
  }, TEST_LIMIT_MS);
  afterEach(() => docker('rm', '-f', session.name), TEST_LIMIT_MS);
  afterAll(() => removeWhatWasMade(), TEST_LIMIT_MS);

  it('is followed by a fresh one on the same socket when it ends', async () => {
    const terminal = await session.open();
    terminal.enter('mark=old; cd /tmp; echo set');
    await terminal.sees(/\nset/);
    terminal.enter('exit');
    await terminal.sees(/logout[\s\S]*~\/workspace \$ /);
    terminal.enter('echo "[$mark]-$PWD"');
    await terminal.sees(/\[\]-\/home\/vibe\/workspace/);
    expect(terminal.isOpen).toBe(true);
    expect(await session.tmux('list-panes', '-a', '-F', '#{session_name}:#{pane_dead}')).toBe('main:0');
    terminal.close();
  }, TEST_LIMIT_MS);

  it('closes its window when it is not the last, and shows a bar only where there is more than one', async () => {
    const bar = async () => (await session.tmux('show-options', '-A', '-v', '-t', 'main', 'status')).trim();
    const terminal = await session.open();
    expect(await bar()).toBe('off');
    terminal.type('\u0002c');
    await until('there are two windows and a bar', async () => (await bar()) === 'on');
    terminal.enter('exit');
    await until('there is one window and no bar', async () => (await bar()) === 'off');
    terminal.enter('echo here-$((1 + 1))');
    await terminal.sees(/here-2/);
    terminal.close();
  }, TEST_LIMIT_MS);

  it.each(['kill-window', 'kill-session', 'kill-server'])('is there again for the next socket after tmux %s', async (command) => {
    const before = await session.open();
    before.enter(`tmux ${command}`);
    await before.closed;
    const after = await session.open();
    after.enter('echo again-$((1 + 1)) $TMUX_PANE');
    await after.sees(/again-2 %/);
    expect(await session.tmux('list-sessions', '-F', '#{session_name}')).toBe('main');
    after.close();
  }, TEST_LIMIT_MS);

  it('opens without the user’s files when those end it at once', async () => {
    const terminal = await session.open();
    terminal.enter('echo exit > ~/.bashrc; exit');
    await terminal.sees(/ended at once/);
    terminal.enter('rm ~/.bashrc; echo rescued-$((1 + 1))');
    await terminal.sees(/rescued-2/);
    terminal.close();
  }, TEST_LIMIT_MS);

  it('welcomes once', async () => {
    const terminal = await openTtyd(session.ip, session.base, session.credential);
    await terminal.sees(/Welcome[\s\S]*\$ /);
    terminal.type('\u0002c');
    await until('there are two windows', async () => (await session.tmux('list-windows')).split('\n').length === 2);
    terminal.enter('echo second-$((1 + 1))');
    await terminal.sees(/second-2/);
    expect(await session.tmux('capture-pane', '-p', '-t', 'main')).not.toContain('Welcome');
    terminal.close();
  }, TEST_LIMIT_MS);

  it('keeps every command in its history at once, whichever window it was typed in', async () => {
    const terminal = await session.open();
    terminal.enter('echo first-$((1 + 1))');
    await terminal.sees(/first-2/);
    terminal.type('\u0002c');
    await until('there are two windows', async () => (await session.tmux('list-windows')).split('\n').length === 2);
    terminal.enter('echo second-$((1 + 1))');
    await terminal.sees(/second-2/);
    const history = await until('both are written', async () => {
      const lines = await session.run('cat ~/.bash_history');
      return lines.includes('second') && lines;
    });
    expect(history.split('\n')).toEqual(['echo first-$((1 + 1))', 'echo second-$((1 + 1))']);
    terminal.close();
  }, TEST_LIMIT_MS);

  it('can be opened again within 5 s of a fork bomb, and what was there is there', async () => {
    const terminal = await session.open();
    terminal.enter('mark=kept; bomb() { bomb | bomb & }; bomb');
    await terminal.sees(/Resource temporarily unavailable/, 30_000);
    const full = Date.now();
    const again = await until('a new terminal answers', async () => {
      const next = await openTtyd(session.ip, session.base, session.credential);
      // Where there is something to see, tmux has taken the socket, and keys reach the shell.
      await next.sees(/\S/, 500).catch(() => undefined);
      next.enter('echo "[$mark]"');
      return (await next.sees(/\[kept\]/, 500).catch(() => next.close())) !== undefined && next;
    });
    console.info(`fork bomb: a new terminal answered ${Date.now() - full} ms after the limit was reached`);
    expect(Date.now() - full).toBeLessThan(5_000);
    again.close();
    // Whether it burnt out by itself or was ended: there is room for programs again.
    await until('the bomb is over', async () => Number(await session.run('cat /sys/fs/cgroup/pids.current 2>/dev/null || cat /sys/fs/cgroup/pids/pids.current')) < 100, 20_000);
  }, TEST_LIMIT_MS);

  it('outlives a program that takes all memory', async () => {
    const terminal = await session.open();
    terminal.enter(`mark=kept; python3 -c 'x = "x" * (4 << 30)'; echo "[$mark]-$?"`);
    await terminal.sees(/\[kept\]-137/, 20_000);
    terminal.close();
  }, TEST_LIMIT_MS);
});
