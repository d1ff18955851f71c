import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '@vibe/platform';

/**
 * What becomes of one call to the outside. `fails`: it is refused before it did anything. `reply lost`: it did its work and the
 * caller hears an error. `stalls` and `stalls after`: the process hangs before or after it, until the history wakes it.
 * `dies` and `dies after`: the process is killed there.
 */
export const fates = ['fails', 'reply lost', 'stalls', 'stalls after', 'dies', 'dies after'] as const;
export type Fate = (typeof fates)[number];

/** The n-th call of one piece of work, counted from 1, and its fate. */
export interface Fault {
  readonly call: number;
  readonly fate: Fate;
}

interface Turn {
  readonly fault: Fault | null;
  /** The names of its calls so far. */
  readonly calls: string[];
  isMet: boolean;
  onStall: (() => void) | null;
}

const turns = new AsyncLocalStorage<Turn>();

/** Longer than the pauses in which working handlers look again at a file or a port. */
const LOOK_MS = 10;
const BLOCKED_LOOKS = 8;

const forever = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** How the outside fails, in the words that the code under test knows. */
const refusals = {
  engine: () => new CodedError('engine_unreachable', 'a fault of this history', { retryable: true }),
  registry: () => new CodedError('registry_unreachable', 'a fault of this history', { retryable: true }),
  redis: () => new Error('Connection is closed.'),
} as const;
export type Outside = keyof typeof refusals;

/** A stream for life: no call that is ever answered. */
const STREAMS = new Set(['followContainerEvents']);

/**
 * A thaw that was decided, and whose process then hung for the whole of somebody else's hibernation, cannot be told from a
 * stranger's: docs/session-lifecycle.md, "What the proof cannot see".
 */
const UNSTALLABLE = new Set(['unpauseContainer']);

/** How a piece of work ended, as far as anybody outside can tell. */
export type WorkEnd = { readonly end: 'done' } | { readonly end: 'failed'; readonly error: unknown } | { readonly end: 'stalled' } | { readonly end: 'dead' };

/**
 * One process of the product as the outside sees it: every call it makes to the Engine, the registry or Redis passes here, and
 * may fail, lose its reply, hang or be the last one. A dead process never hears an answer again, and asks nothing more.
 */
export class GatedProcess {
  isDead = false;
  private inFlight = 0;
  private stalled: { readonly turn: Turn; readonly goOn: () => void }[] = [];
  private readonly deaths: (() => void)[] = [];

  constructor(readonly name: string) {}

  /** True while some call of this process is on its way: the world is not quiet yet. */
  get isBusy(): boolean {
    return !this.isDead && this.inFlight > 0;
  }

  get stalledCalls(): number {
    return this.isDead ? 0 : this.stalled.length;
  }

  /** True while some work hangs that has made this call so many times. */
  hangsAfter(name: string, times: number): boolean {
    return !this.isDead && this.stalled.some(({ turn }) => turn.calls.filter((call) => call === name).length >= times);
  }

  /** The same object, whose methods pass the gate. What it calls on itself does not. */
  gate<T extends object>(outside: Outside, target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== 'function') return member;
        if (STREAMS.has(String(name))) return member.bind(object) as unknown;
        return (...args: unknown[]) => this.pass(outside, String(name), () => Reflect.apply(member as (...args: unknown[]) => unknown, object, args));
      },
    });
  }

  /** Does a piece of work under a fault. Resolves when it ends, stalls or dies, whichever comes first. */
  async work(fault: Fault | null, work: () => Promise<void>): Promise<WorkEnd & { isMet: boolean }> {
    if (this.isDead) return { end: 'dead', isMet: false };
    const turn: Turn = { fault, calls: [], isMet: false, onStall: null };
    const stall = new Promise<WorkEnd>((resolve) => (turn.onStall = () => resolve({ end: 'stalled' })));
    const death = new Promise<WorkEnd>((resolve) => this.deaths.push(() => resolve({ end: 'dead' })));
    const ended = turns.run(turn, work).then(
      (): WorkEnd => ({ end: 'done' }),
      (error: unknown): WorkEnd => ({ end: 'failed', error }),
    );
    const done = new AbortController();
    const end = await Promise.race([ended, stall, death, this.blocked(done.signal)]);
    done.abort();
    return { ...end, isMet: turn.isMet };
  }

  /** Work that waits for a lock which hanging work of this process holds hangs as well. */
  private async blocked(done: AbortSignal): Promise<WorkEnd> {
    for (let idleLooks = 0; idleLooks < BLOCKED_LOOKS; idleLooks = this.stalled.length > 0 && !this.isBusy ? idleLooks + 1 : 0) {
      await sleep(LOOK_MS);
      if (done.aborted) break;
    }
    return { end: 'stalled' };
  }

  /** Killed: nothing of it goes on. */
  die(): void {
    this.isDead = true;
    for (const tell of this.deaths.splice(0)) tell();
  }

  /** What hung goes on. */
  wake(): void {
    for (const { goOn } of this.stalled.splice(0)) goOn();
  }

  private async pass(outside: Outside, name: string, call: () => unknown): Promise<unknown> {
    if (this.isDead) return forever();
    const turn = turns.getStore();
    const fate = turn ? this.fateOf(turn, name) : null;
    if (fate === 'fails') throw refusals[outside]();
    if (fate === 'dies') return this.dieHere();
    if (fate === 'stalls' && turn) await this.stallHere(turn);
    const answer = await this.count(call);
    if (fate === 'reply lost') throw refusals[outside]();
    if (fate === 'dies after') return this.dieHere();
    if (fate === 'stalls after' && turn) await this.stallHere(turn);
    return this.isDead ? forever() : answer;
  }

  private fateOf(turn: Turn, name: string): Fate | null {
    turn.calls.push(name);
    if (turn.fault?.call !== turn.calls.length) return null;
    if (turn.fault.fate.startsWith('stalls') && UNSTALLABLE.has(name)) return null;
    turn.isMet = true;
    return turn.fault.fate;
  }

  private async count(call: () => unknown): Promise<unknown> {
    this.inFlight += 1;
    try {
      return await call();
    } catch (error) {
      if (this.isDead) return await forever();
      throw error;
    } finally {
      this.inFlight -= 1;
    }
  }

  private dieHere(): Promise<never> {
    this.die();
    return forever();
  }

  private async stallHere(turn: Turn): Promise<void> {
    turn.onStall?.();
    await new Promise<void>((goOn) => this.stalled.push({ turn, goOn }));
    if (this.isDead) await forever();
  }
}
