import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { whenTrue } from './process-when';

const START_LIMIT_MS = 120_000;
const LINES_KEPT = 60;

/** None of them outlives the test. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** One service as a process of its own. */
export class ServiceProcess {
  /** The failpoints at which its work failed or it stood still, as it tells, in that order. */
  readonly met = new Set<string>();
  private readonly lines: string[] = [];
  private isEnded = false;
  private isKnownToStandStill = false;
  /** How often it was seen to stand still. */
  private stops = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly name: string,
  ) {
    const keep = (chunk: Buffer) => {
      for (const [, name] of chunk.toString().matchAll(/failpoint ([a-z][a-z0-9.-]*)/g)) this.met.add(name as string);
      this.lines.push(...chunk.toString().split('\n').filter((line) => line !== ''));
      this.lines.splice(0, this.lines.length - LINES_KEPT);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    living.add(child);
    child.once('close', () => {
      this.isEnded = true;
      living.delete(child);
    });
  }

  /** Starts it and waits until it says that it has started, or was broken on the way there. */
  static async start(name: string, program: string, env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const started = new ServiceProcess(child, name);
    const hasStarted = () => started.lines.some((line) => line.includes('"message":"started"'));
    await whenTrue(`${name} starts`, () => hasStarted() || started.breaks > 0, { limitMs: START_LIMIT_MS, explain: () => started.said });
    return started;
  }

  /** How often it was broken: it has ended, or was seen to stand still. */
  get breaks(): number {
    return this.isStopped || !this.isEnded ? this.stops : this.stops + 1;
  }

  get isStopped(): boolean {
    if (this.isEnded || this.child.pid === undefined) return false;
    const isStopped = stateOf(this.child.pid) === 'T';
    if (isStopped && !this.isKnownToStandStill) this.stops += 1;
    this.isKnownToStandStill = isStopped;
    return isStopped;
  }

  /** How it ended by itself; null while it lives. */
  get endedBy(): string | null {
    return this.child.signalCode ?? (this.child.exitCode === null ? null : `exit ${this.child.exitCode}`);
  }

  /** The last of what it printed. */
  get said(): string {
    return `${this.name} said:\n${this.lines.join('\n')}`;
  }

  stop(): void {
    this.child.kill('SIGSTOP');
  }

  continue(): void {
    this.isKnownToStandStill = false;
    this.child.kill('SIGCONT');
  }

  /** As by kill -9. Safe to repeat. */
  async kill(): Promise<void> {
    if (this.isEnded) return;
    const closed = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await closed;
  }
}

/** The kernel's letter for what a process does (proc(5)); null when it is gone, which its parent hears a moment later. */
function stateOf(pid: number): string | null {
  try {
    return /\) (\S) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}
