import { Agent, fetch } from 'undici';
import type { Session, SessionState } from './api-client';
import { EventStreamParser } from './event-stream';
import type { Installation } from './installation';

/** What the live events said of one session, and when it was received (ms, `performance.now()`). */
export interface Sighting {
  readonly id: string;
  /** null: its record is gone. */
  readonly session: Session | null;
  readonly atMs: number;
}

interface Waiter {
  readonly take: (sighting: Sighting) => boolean;
  readonly fail: (error: Error) => void;
}

export interface WaitOptions {
  readonly withinMs?: number;
}

const DEFAULT_WITHIN_MS = 90_000;

/** One user's live events: every wait here is for something that was said, nothing asks again and again. */
export class LiveEvents {
  readonly #seen: Sighting[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #stop = new AbortController();
  #ended: Error | null = null;

  private constructor(private readonly agent: Agent) {}

  /** Connects and waits for the first list of one's sessions. Throws when the stream is refused. */
  static async connect(installation: Installation, token: string): Promise<LiveEvents> {
    const agent = new Agent({ connect: { ...installation.tls }, bodyTimeout: 0 });
    const events = new LiveEvents(agent);
    const response = await fetch(new URL('/api/sessions/events', installation.url), {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
      dispatcher: agent,
      signal: events.#stop.signal,
    });
    if (response.status !== 200 || response.body === null) {
      await agent.destroy();
      throw new Error(`the live events were refused with ${response.status}`);
    }
    const body = response.body as AsyncIterable<Uint8Array>;
    await new Promise<void>((resolve, reject) => {
      events.#read(body, resolve).catch((cause: unknown) => {
        const ended = new Error('the live events ended', { cause });
        events.#end(ended);
        reject(ended);
      });
    });
    return events;
  }

  /** Everything said of a session so far, oldest first. */
  sightingsOf(id: string): readonly Sighting[] {
    return this.#seen.filter((sighting) => sighting.id === id);
  }

  /** What was said last of a session, or undefined. */
  latest(id: string): Sighting | undefined {
    return this.#seen.findLast((sighting) => sighting.id === id);
  }

  /**
   * Waits until something said of the session, from what was said last on, matches. `fact` names it in the error.
   * Throws when the time is over or the stream ended.
   */
  until(id: string, fact: string, matches: (sighting: Sighting) => boolean, options: WaitOptions = {}): Promise<Sighting> {
    const latest = this.latest(id);
    if (latest && matches(latest)) return Promise.resolve(latest);
    if (this.#ended) return Promise.reject(this.#ended);
    const withinMs = options.withinMs ?? DEFAULT_WITHIN_MS;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        take: (sighting) => {
          if (sighting.id !== id || !matches(sighting)) return false;
          done();
          resolve(sighting);
          return true;
        },
        fail: (error) => {
          done();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.fail(new Error(`not heard within ${withinMs / 1000} s: ${fact}; ${this.#story(id)}`)), withinMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      this.#waiters.add(waiter);
    });
  }

  /** Waits until the session is in a state. Fails at once when it became `failed` or `lost` instead. */
  async untilState(id: string, state: SessionState, options: WaitOptions & { readonly generation?: number } = {}): Promise<Session> {
    const isIt = ({ session }: Sighting): boolean => session?.state === state && (options.generation === undefined || session.generation === options.generation);
    const isOver = ({ session }: Sighting): boolean => session === null || session.state === 'failed' || session.state === 'lost';
    const seen = await this.until(id, `session ${id} is ${state}`, (sighting) => isIt(sighting) || isOver(sighting), options);
    if (!isIt(seen) || seen.session === null) throw new Error(`session ${id} will never be ${state}; ${this.#story(id)}`);
    return seen.session;
  }

  /** Waits until the session's record is gone. */
  async untilRemoved(id: string, options: WaitOptions = {}): Promise<void> {
    await this.until(id, `session ${id} is removed`, ({ session }) => session === null, options);
  }

  close(): Promise<void> {
    this.#end(new Error('the live events were closed'));
    this.#stop.abort();
    return this.agent.destroy();
  }

  async #read(body: AsyncIterable<Uint8Array>, onFirst: () => void): Promise<void> {
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      for (const event of parser.feed(decoder.decode(chunk, { stream: true }))) {
        const data = JSON.parse(event.data) as { session?: Session; sessions?: Session[]; id?: string };
        if (event.name === 'sessions') {
          for (const session of data.sessions ?? []) this.#note({ id: session.id, session, atMs: performance.now() });
          onFirst();
        }
        if (event.name === 'session' && data.session) this.#note({ id: data.session.id, session: data.session, atMs: performance.now() });
        if (event.name === 'removed' && data.id !== undefined) this.#note({ id: data.id, session: null, atMs: performance.now() });
      }
    }
    throw new Error('the server closed the stream');
  }

  #note(sighting: Sighting): void {
    this.#seen.push(sighting);
    for (const waiter of [...this.#waiters]) waiter.take(sighting);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const waiter of [...this.#waiters]) waiter.fail(this.#ended);
  }

  #story(id: string): string {
    const said = this.sightingsOf(id).map(({ session }) => (session === null ? 'removed' : [`${session.state} g${session.generation}`, session.step, session.reason].filter((part) => part !== null).join(' ')));
    return `what was said of it: ${said.length === 0 ? 'nothing' : said.join(' → ')}`;
  }
}
