import { ApiClient, type Session } from './api-client';
import type { Installation } from './installation';
import { LiveEvents, type WaitOptions } from './live-events';
import { TerminalClient, type ConnectOptions } from './terminal-client';

/** One signed-in user with everything they have open: API, live events, terminals. */
export class Person {
  readonly #terminals: TerminalClient[] = [];

  private constructor(
    readonly installation: Installation,
    readonly userId: string,
    readonly token: string,
    readonly api: ApiClient,
    private live: LiveEvents,
  ) {}

  /** Gets a token and listens to the live events. */
  static async signIn(installation: Installation, userId: string): Promise<Person> {
    const token = await installation.tokenOf(userId);
    return new Person(installation, userId, token, new ApiClient(installation, token), await LiveEvents.connect(installation, token));
  }

  get events(): LiveEvents {
    return this.live;
  }

  /** Listens anew, after whatever ended the stream. */
  async listenAgain(): Promise<void> {
    await this.live.close();
    this.live = await LiveEvents.connect(this.installation, this.token);
  }

  /** Creates a session and waits until its terminal listens. */
  async create(name?: string, options: WaitOptions = {}): Promise<Session> {
    const { id } = await this.api.create(name);
    return this.events.untilState(id, 'running', options);
  }

  /** Opens the session as its page does: wakes it when it sleeps, waits, connects, and sees the prompt. */
  async openTerminal(id: string, options: Partial<ConnectOptions> = {}): Promise<TerminalClient> {
    let opened = await this.api.open(id);
    if (!opened.terminal) {
      await this.#untilRunningSince(opened.session);
      opened = await this.api.open(id);
    }
    if (!opened.terminal) throw new Error(`session ${id} runs, but open gave no terminal: ${JSON.stringify(opened)}`);
    const terminal = await TerminalClient.connect(this.installation, opened.terminal, { token: this.token, ...options });
    this.#terminals.push(terminal);
    await terminal.untilPrompt();
    return terminal;
  }

  /** What the events said before the API's answer is older than it: a `running` from then does not count. */
  async #untilRunningSince({ id, state_since }: Session): Promise<void> {
    const isNew = (session: Session | null): boolean => session !== null && session.state_since >= state_since;
    await this.events.until(id, `session ${id} has moved since ${state_since}`, ({ session }) => session === null || isNew(session));
    await this.events.untilState(id, 'running', { withinMs: 150_000 });
  }

  /** Opens the session, runs one command in its shell and closes the socket. Returns what the command printed. */
  async runIn(id: string, command: string, options: { readonly withinMs?: number } = {}): Promise<string> {
    const terminal = await this.openTerminal(id);
    try {
      return await terminal.run(command, options);
    } finally {
      terminal.close();
    }
  }

  /** Puts the session to sleep and waits until its snapshot is proven. */
  async sleep(id: string, options: WaitOptions = {}): Promise<Session> {
    await this.api.hibernate(id);
    return this.events.untilState(id, 'hibernated', { withinMs: 180_000, ...options });
  }

  /** Deletes the session and waits until its record is gone. */
  async delete(id: string): Promise<void> {
    await this.api.delete(id);
    await this.events.untilRemoved(id, { withinMs: 120_000 });
  }

  /** Asks to delete everything this user has; it ends by itself. Open terminals are closed. */
  async abandonAll(): Promise<void> {
    for (const terminal of this.#terminals) terminal.close();
    const mine = await this.api.list();
    await Promise.all(mine.map(({ id }) => this.api.delete(id)));
  }

  /** Deletes everything this user has and waits until it is gone, then closes what is open. */
  async leave(): Promise<void> {
    try {
      const mine = await this.api.list();
      await Promise.all(mine.map(({ id }) => this.delete(id)));
    } finally {
      await this.close();
    }
  }

  /** Closes what is open. */
  async close(): Promise<void> {
    for (const terminal of this.#terminals) terminal.close();
    await this.live.close();
    await this.api.close();
  }
}
