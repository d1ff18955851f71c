import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasListener, isListening, whenListening } from './listening-port';
import { lastKeyAt } from './pane-terminals';
import { descendantsOf, parseProcessStat, readProcesses } from './process-table';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const listening = `${HEAD}\n   0: 00000000:1E01 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1`;
const connected = `${HEAD}\n   0: 0100000A:1E01 0200000A:0000 01 00000000:00000000 00:00000000 00000000  1000        0 1 1`;

let proc: string;
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'proc-'));
});
afterEach(() => rm(proc, { recursive: true }));

const put = async (path: string, text = '') => {
  await mkdir(join(proc, path, '..'), { recursive: true });
  await writeFile(join(proc, path), text);
};

describe('what an agent reads of /proc', () => {
  it('knows a listening port from a connection and from another port', () => {
    expect(hasListener(listening, 7681)).toBe(true);
    expect(hasListener(connected, 7681)).toBe(false);
    expect(hasListener(listening, 7682)).toBe(false);
  });

  it('sees the port the moment it listens, on IPv6 too', async () => {
    await put('7/net/tcp', HEAD);
    expect(await isListening(proc, 7, 7681)).toBe(false);
    const seen = whenListening(proc, 7, 7681, AbortSignal.timeout(5_000));
    await put('7/net/tcp6', listening.replace('00000000:1E01', `${'0'.repeat(32)}:1E01`));
    expect(await seen).toBe(true);
  });

  it('gives up waiting for the port when told', async () => {
    expect(await whenListening(proc, 7, 7681, AbortSignal.abort())).toBe(false);
  });

  it('reads names with brackets and the number of the terminal', () => {
    expect(parseProcessStat('12 (a) b (c)) S 3 12 12 34818 0')).toEqual({ pid: 12, parent: 3, name: 'a) b (c)', terminal: 2 });
    expect(parseProcessStat('12 (x) S 3 12 12 0 0')).toMatchObject({ terminal: null });
    expect(parseProcessStat('')).toBeNull();
  });

  it('counts the keys of the panes and not those of tmux clients, and ignores other containers', async () => {
    await put('10/stat', '10 (docker-init) S 1 10 10 0');
    await put('11/stat', '11 (tmux: server) S 10 11 11 0');
    await put('12/stat', '12 (bash) S 11 12 12 34817');
    await put('13/stat', '13 (tmux: client) S 10 13 13 34816');
    await put('20/stat', '20 (tmux: client) S 1 20 20 34817');
    for (const [pts, at] of [['0', 9_000], ['1', 5_000], ['ptmx', 9_999]] as const) {
      await put(`10/root/dev/pts/${pts}`);
      await utimes(join(proc, '10/root/dev/pts', pts), at, at);
    }
    const processes = await readProcesses(proc);
    expect(descendantsOf(10, processes).map(({ pid }) => pid)).toEqual([10, 11, 13, 12]);
    expect(await lastKeyAt(proc, 10, processes)).toBe(5_000_000);
  });

  it('does not call a session idle whose terminals cannot be read', async () => {
    await expect(lastKeyAt(proc, 99, [])).rejects.toThrow();
  });
});
