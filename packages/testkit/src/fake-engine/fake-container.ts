import { randomBytes } from 'node:crypto';
import { FakeProc } from './fake-proc';
import { mergeLayers } from './layers';
import type { StoredImage } from './fake-images';

export interface ContainerOptions {
  readonly name: string;
  readonly image: StoredImage;
  /** The reference it is made from. */
  readonly reference: string;
  /** Its own labels; those of the image are added below them, as the Engine does. */
  readonly labels: Readonly<Record<string, string>>;
  readonly env?: readonly string[];
  readonly stopSignal?: string;
}

/** `dead`: its removal was begun and failed. */
type Status = 'created' | 'running' | 'paused' | 'exited' | 'dead';

/** A typed line costs about this much; the first instructions after a thaw as well. */
const TYPED_NS = 3_000_000;
const THAW_NS = 100_000;
const START_NS = 40_000_000;
/** From the launcher's answer on ttyd stands still for this long, in ms, and for as long as it is frozen then. */
const HELD_MS = 1_500;
const NEVER = '0001-01-01T00:00:00Z';
const SIGKILL_CODE = 137;

/**
 * A container with what a test looks at: its state, the CPU it used, its files, its terminals. Nothing runs in it by itself:
 * it uses CPU when a test types, and on a thaw.
 */
export class FakeContainer {
  readonly id = randomBytes(32).toString('hex');
  readonly name: string;
  readonly image: StoredImage;
  readonly reference: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly env: readonly string[];
  status: Status = 'created';
  startedAt = NEVER;
  finishedAt = NEVER;
  exitCode = 0;
  isOomKilled = false;
  /** All CPU time it ever used, in ns. */
  cpuNs = 0;
  /** False when its node's storage driver fails to measure its layer. */
  isMeasurable = true;
  /** How long its launcher takes to save the shell, in ms; null when it does not answer. */
  saveTakesMs: number | null = 0;
  /** What was read and told while it was killed, and is in no snapshot of its frozen state. */
  readonly toldAtTheEnd: string[] = [];
  /** What it said on its standard output. */
  printed = '';
  /** What it wrote over its image: path → content. */
  readonly written = new Map<string, string>();
  /** What it was sent while frozen: read at the thaw. */
  private unread: string[] = [];
  private proc: FakeProc | null = null;
  private heldUntil = 0;
  private isTtydStopped = false;

  constructor(
    private readonly options: ContainerOptions,
    /** Tells the node's event stream. */
    private readonly tell: (action: string, container: FakeContainer) => void,
  ) {
    this.name = options.name;
    this.image = options.image;
    this.reference = options.reference;
    this.labels = { ...options.image.config.Labels, ...options.labels };
    this.env = options.env ?? [];
  }

  /** Everything in it, its image's files included. */
  get files(): ReadonlyMap<string, string> {
    return new Map([...mergeLayers(this.image.layers), ...this.written]);
  }

  /** What it wrote since its image, as the Engine lists it; null when that is nothing. */
  get changes(): { Path: string; Kind: number }[] | null {
    return this.written.size === 0 ? null : [...this.written.keys()].map((path) => ({ Path: path, Kind: 1 }));
  }

  /** Bytes of its layer, as the Engine says them: -1 when it cannot. */
  get sizeRw(): number {
    return this.isMeasurable ? [...this.written.values()].reduce((sum, content) => sum + Buffer.byteLength(content), 0) : -1;
  }

  get pid(): number {
    return this.proc?.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.status === 'running' || this.status === 'paused';
  }

  start(hostProc: string, pid: number): void {
    this.proc = new FakeProc(hostProc, pid);
    this.status = 'running';
    this.startedAt = new Date().toISOString();
    this.cpuNs += START_NS;
    this.tell('start', this);
  }

  listen(port = 7681): void {
    this.proc?.listen(port);
  }

  /** A person's socket comes (again); nobody types. */
  connect(): void {
    this.proc?.connect();
  }

  /** A person types a line. It is added to `path` at once, or at the thaw when the container is frozen. */
  type(line: string, path = '/home/vibe/workspace/typed', at = new Date()): void {
    if (!this.isAlive) throw new Error(`nobody can type into a container that is ${this.status}`);
    if (this.status === 'paused') {
      this.unread.push(line);
      return;
    }
    this.write(path, `${this.files.get(path) ?? ''}${line}\n`);
    this.proc?.typed(at);
    this.cpuNs += TYPED_NS;
  }

  /** A program writes a file: no key, no terminal. */
  write(path: string, content: string): void {
    this.written.set(path, content);
  }

  pause(): void {
    this.status = 'paused';
    this.isTtydStopped = performance.now() < this.heldUntil;
    this.tell('pause', this);
  }

  unpause(): void {
    this.status = 'running';
    this.cpuNs += THAW_NS;
    this.tell('unpause', this);
    for (const line of this.unread.splice(0)) this.type(line);
  }

  /** A signal thaws what is frozen. SIGUSR1 asks the launcher to save the shell. */
  signal(name: string): void {
    if (this.status === 'paused') this.unpause();
    this.cpuNs += THAW_NS;
    this.tell('kill', this);
    if (name === 'SIGKILL' || name === 'KILL') this.end(SIGKILL_CODE);
    if (name !== 'SIGUSR1' || this.saveTakesMs === null) return;
    if (this.saveTakesMs === 0) this.saveShell();
    else setTimeout(() => this.saveShell(), this.saveTakesMs).unref();
  }

  private saveShell(): void {
    if (this.status !== 'running') return;
    this.write('/home/vibe/.vibe/saved', 'saved');
    this.heldUntil = performance.now() + HELD_MS;
    this.proc?.saved();
  }

  /** It ends: killed by default. What it wrote stays until it is removed. */
  end(exitCode = SIGKILL_CODE, { isOomKilled = false } = {}): void {
    if (this.status === 'exited') return;
    this.status = 'exited';
    this.finishedAt = new Date().toISOString();
    this.exitCode = exitCode;
    this.isOomKilled = isOomKilled;
    this.proc?.remove();
    this.proc = null;
    if (isOomKilled) this.tell('oom', this);
    this.tell('die', this);
  }

  /**
   * Its service was removed: it gets its stop signal, for which the Engine thaws it. With SIGKILL what runs in it gets a turn at most,
   * in which only a ttyd that stands still tells nobody anything.
   */
  stop(): void {
    if (!this.isAlive) return;
    if (this.status === 'paused' && !this.isTtydStopped) this.toldAtTheEnd.push(...this.unread);
    const stopSignal = this.options.stopSignal ?? 'SIGTERM';
    if (stopSignal !== 'SIGKILL' && this.status === 'paused') {
      this.unpause();
      this.write('/ran-after-the-thaw', 'yes');
    }
    this.end(SIGKILL_CODE);
  }

  removed(): void {
    this.proc?.remove();
    this.proc = null;
    this.tell('destroy', this);
  }
}
