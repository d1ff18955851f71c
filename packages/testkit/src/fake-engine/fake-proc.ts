import { mkdirSync, rmSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TCP_HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

/** Controlling terminal as /proc/{pid}/stat has it: /dev/pts/N is device 136:N. */
const PTS_DEVICE = 136 << 8;

/**
 * One container as its node's /proc shows it, in a directory of a test: the sockets of its first process, its terminals, its
 * shell in a tmux pane. Synchronous, so that what a test did is there when the call returns.
 */
export class FakeProc {
  private readonly pids: number[] = [];
  private terminals = 0;
  private readonly pane: number;

  constructor(
    private readonly hostProc: string,
    readonly pid: number,
  ) {
    this.addProcess('keeper', 0, null);
    this.write('net/tcp', TCP_HEAD);
    this.write('net/tcp6', TCP_HEAD);
    const server = this.addProcess('tmux: server', pid, null);
    this.pane = this.addTerminal();
    this.addProcess('bash', server, this.pane);
  }

  /** The port shows as LISTEN from now on. */
  listen(port: number): void {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    this.write('net/tcp', `${TCP_HEAD}   0: 00000000:${hex} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1\n`);
  }

  /** A person's socket: a tmux client on a terminal of its own, whose access time is fresh. */
  connect(): void {
    this.addProcess('tmux: client', this.pid, this.addTerminal());
  }

  /** A key was read in the pane. */
  typed(at: Date): void {
    const path = this.path(`root/dev/pts/${this.pane}`);
    utimesSync(path, at, at);
  }

  /** The launcher's mark that the shell was saved: a new file each time. */
  saved(): void {
    this.write('root/run/vibe/saved.new', '');
    renameSync(this.path('root/run/vibe/saved.new'), this.path('root/run/vibe/saved'));
  }

  remove(): void {
    for (const pid of this.pids) rmSync(join(this.hostProc, String(pid)), { recursive: true, force: true });
  }

  private path(name: string): string {
    return join(this.hostProc, String(this.pid), name);
  }

  private write(name: string, content: string): void {
    mkdirSync(join(this.path(name), '..'), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  private addTerminal(): number {
    const number = this.terminals;
    this.terminals += 1;
    this.write(`root/dev/pts/${number}`, '');
    return number;
  }

  private addProcess(name: string, parent: number, terminal: number | null): number {
    const pid = this.pid + this.pids.length;
    this.pids.push(pid);
    mkdirSync(join(this.hostProc, String(pid)), { recursive: true });
    writeFileSync(join(this.hostProc, String(pid), 'stat'), `${pid} (${name}) S ${parent} ${pid} ${pid} ${terminal === null ? 0 : PTS_DEVICE + terminal} 0\n`);
    return pid;
  }
}
