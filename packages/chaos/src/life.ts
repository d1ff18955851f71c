import type { FakeContainer } from '@vibe/testkit';
import { BrokenPromise } from './broken';

/** Where a person's lines go, and where each session keeps its own secret: both are files of the container. */
export const TYPED = '/home/vibe/workspace/typed';
export const WHOSE = '/home/vibe/whose';

/** What sleeps for too long is deleted, unless its user comes back before that was done. */
export const EXPIRED = 'it slept for a week';

/** What the world knows of one session that the product must not forget: the oracle's side. */
export class Life {
  /** Lines that the terminal acknowledged, in order. */
  acknowledged: string[] = [];
  /** Why its loss is within the promises; null while it is not. */
  excuse: string | null = null;
  /** True once its terminal was open: from then on it is never just gone. */
  wasOpen = false;
  /** The highest generation that ever ran. */
  highestGen = 0;
  /** The container that its open tab is connected to: a late start may make another one of the same generation, which nobody sees. */
  tab: FakeContainer | null = null;
  private lines = 0;

  constructor(
    readonly id: string,
    readonly userId: string,
  ) {}

  /** The user types the next line into a container; what a frozen one is sent is read when it is thawed, or never. */
  type(container: FakeContainer): void {
    this.lines += 1;
    container.type(`${this.lines} of ${this.id}`);
    if (container.status === 'running') this.hear(container);
  }

  /** What the terminal of a running container has shown is acknowledged. What it showed before must still be there. */
  hear(container: FakeContainer): void {
    this.require(container.files);
    this.acknowledged = linesOf(container.files);
  }

  /** What its tab was still told by a container that was not frozen in time, while that was killed. */
  hearTheEnd(): void {
    this.acknowledged.push(...(this.tab?.toldAtTheEnd.splice(0) ?? []));
  }

  /** From here on its data may be gone; the first reason is kept, but for the one that ends when its user comes back. */
  forgive(reason: string): void {
    if (this.excuse === null || this.excuse === EXPIRED) this.excuse = reason;
  }

  /** Its terminal is open, at this generation and in this container: whoever expired is back in time. */
  opens(gen: number, tab: FakeContainer): void {
    this.wasOpen = true;
    this.tab = tab;
    this.highestGen = Math.max(this.highestGen, gen);
    if (this.excuse === EXPIRED) this.excuse = null;
  }

  /** The files of its container or snapshot hold all that was acknowledged, and nothing of others. @throws BrokenPromise */
  require(files: ReadonlyMap<string, string>): void {
    const whose = files.get(WHOSE);
    if (whose !== undefined && whose !== this.id) throw new BrokenPromise('broken', `I7: session ${this.id} holds the secret of ${whose}`);
    const held = linesOf(files);
    const strange = held.filter((line) => !line.endsWith(` of ${this.id}`));
    if (strange.length > 0) throw new BrokenPromise('broken', `I7: session ${this.id} holds what was typed elsewhere: ${strange.join(', ')}`);
    const isKept = this.acknowledged.every((line, at) => held[at] === line);
    if (!isKept && !this.excuse) throw new BrokenPromise('lost', `I2: of session ${this.id} ${this.acknowledged.length} lines were acknowledged, and it holds: ${held.join(' | ')}`);
  }
}

const linesOf = (files: ReadonlyMap<string, string>): string[] => (files.get(TYPED) ?? '').split('\n').filter((line) => line !== '');

/** Everybody's sessions: the model that the product is held against. */
export class People {
  readonly lives: Life[] = [];

  /** The n-th session, in a circle; null while there is none. */
  life(n: number): Life | null {
    return this.lives[n % Math.max(1, this.lives.length)] ?? null;
  }

  of(id: string): Life | undefined {
    return this.lives.find((life) => life.id === id);
  }
}
