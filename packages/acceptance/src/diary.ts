import { UnexpectedAnswer } from './api-client';
import { eventually } from './eventually';
import type { Person } from './person';
import { TerminalClient } from './terminal-client';

const DIARY = '~/diary';

/**
 * One session in which somebody keeps a diary while things break. A line counts as acknowledged when the terminal printed it
 * back from the file; from then on it must never be missing.
 */
export class Diary {
  readonly #acknowledged: string[] = [];
  #terminal: TerminalClient | undefined;
  #lines = 0;

  constructor(
    readonly person: Person,
    readonly id: string,
  ) {}

  get acknowledged(): readonly string[] {
    return this.#acknowledged;
  }

  /** Types a line, waking the session if it sleeps. Throws when the terminal cannot be had in time; then the line may be there or not. */
  async write(options: { readonly withinMs: number }): Promise<void> {
    const line = `line ${(this.#lines += 1)}`;
    const terminal = await this.#atTerminal(options.withinMs);
    const said = await terminal.run(`echo ${line} >> ${DIARY}; tail -n 1 ${DIARY}`, options);
    if (said !== line) throw new Error(`the terminal said ${JSON.stringify(said)} instead of ${line}`);
    this.#acknowledged.push(line);
  }

  /** Everything in the file, as a terminal shows it now; wakes the session if it sleeps. */
  async read(options: { readonly withinMs: number }): Promise<readonly string[]> {
    const text = await (await this.#atTerminal(options.withinMs)).run(`cat ${DIARY} 2>/dev/null`, options);
    return text.split('\n').filter((line) => line !== '');
  }

  async #atTerminal(withinMs: number): Promise<TerminalClient> {
    if (this.#terminal?.isOpen !== true || !(await this.#answers(this.#terminal))) {
      this.#terminal?.close();
      this.#terminal = await eventually(`a terminal of ${this.id}`, () => this.#connect(), { withinMs });
    }
    return this.#terminal;
  }

  /** A tab whose session went to sleep is open, and nobody is there: whoever comes back opens the session first. */
  async #answers(terminal: TerminalClient): Promise<boolean> {
    await this.person.api.open(this.id).catch(onRefusal);
    return terminal.run('echo here', { withinMs: 3_000 }).then((said) => said === 'here', () => false);
  }

  async #connect(): Promise<TerminalClient | undefined> {
    const { terminal: address } = await this.person.api.open(this.id);
    if (!address) return undefined;
    const terminal = await TerminalClient.connect(this.person.installation, address, { token: this.person.token, withinMs: 5_000 });
    try {
      await terminal.untilPrompt({ withinMs: 5_000 });
      return terminal;
    } catch (error) {
      terminal.close();
      throw error;
    }
  }

  close(): void {
    this.#terminal?.close();
  }
}

/** An answer that is no is a fact of the day, and so is no answer: whatever is being broken may be in the way. */
export function onRefusal(error: unknown): undefined {
  if (error instanceof UnexpectedAnswer || error instanceof TypeError) return undefined;
  throw error;
}
