import { randomBytes } from 'node:crypto';
import { UnexpectedAnswer } from './api-client';
import { eventually } from './eventually';
import type { Person } from './person';
import { TerminalClient } from './terminal-client';

const DIARY = '~/diary';

/**
 * One session in which somebody keeps a diary while things break. A line counts as acknowledged when the terminal printed it
 * back from the file; from then on it must never be missing. Every line carries a secret of the session, by which it is known
 * wherever it turns up.
 */
export class Diary {
  readonly secret = randomBytes(8).toString('hex');
  readonly #typed: string[] = [];
  readonly #acknowledged: string[] = [];
  readonly #terminals: TerminalClient[] = [];
  readonly #answers: string[] = [];

  constructor(
    readonly person: Person,
    readonly id: string,
  ) {}

  get acknowledged(): readonly string[] {
    return this.#acknowledged;
  }

  /** Every line that was ever typed, in order: one that was not acknowledged may be in the file or not. */
  get typed(): readonly string[] {
    return this.#typed;
  }

  /** All that any socket of this session ever received: the screens as a person saw them, and the answers, which travel encoded. */
  get received(): string {
    return [...this.#terminals.map((terminal) => terminal.text()), ...this.#answers].join('\n');
  }

  /** Types a line, waking the session if it sleeps. Throws when the terminal cannot be had in time; then the line may be there or not. */
  async write(options: { readonly withinMs: number }): Promise<void> {
    const terminal = await this.#atTerminal(options.withinMs);
    const line = `line ${this.#typed.length + 1} of ${this.secret}`;
    this.#typed.push(line);
    const said = await this.#run(terminal, `echo ${line} >> ${DIARY}; tail -n 1 ${DIARY}`, options);
    if (said !== line) throw new Error(`the terminal said ${JSON.stringify(said)} instead of ${line}`);
    this.#acknowledged.push(line);
  }

  /** Everything in the file, as a terminal shows it now; wakes the session if it sleeps. */
  async read(options: { readonly withinMs: number }): Promise<readonly string[]> {
    const text = await this.#run(await this.#atTerminal(options.withinMs), `cat ${DIARY} 2>/dev/null`, options);
    return text.split('\n').filter((line) => line !== '');
  }

  async #run(terminal: TerminalClient, command: string, options: { readonly withinMs: number }): Promise<string> {
    const said = await terminal.run(command, options);
    this.#answers.push(said);
    return said;
  }

  async #atTerminal(withinMs: number): Promise<TerminalClient> {
    const latest = this.#terminals.at(-1);
    if (latest?.isOpen === true && (await this.#isAnswered(latest))) return latest;
    latest?.close();
    return eventually(`a terminal of ${this.id}`, () => this.#connect(), { withinMs });
  }

  /** A tab whose session went to sleep is open, and nobody is there: whoever comes back opens the session first. */
  async #isAnswered(terminal: TerminalClient): Promise<boolean> {
    await this.person.api.open(this.id).catch(onRefusal);
    return this.#run(terminal, 'echo here', { withinMs: 3_000 }).then((said) => said === 'here', () => false);
  }

  async #connect(): Promise<TerminalClient | undefined> {
    const { terminal: address } = await this.person.api.open(this.id);
    if (!address) return undefined;
    const terminal = await TerminalClient.connect(this.person.installation, address, { token: this.person.token, withinMs: 5_000 });
    this.#terminals.push(terminal);
    try {
      await terminal.untilPrompt({ withinMs: 5_000 });
      return terminal;
    } catch (error) {
      terminal.close();
      throw error;
    }
  }

  close(): void {
    this.#terminals.at(-1)?.close();
  }
}

/** An answer that is no is a fact of the day, and so is no answer: whatever is being broken may be in the way. */
export function onRefusal(error: unknown): undefined {
  if (error instanceof UnexpectedAnswer || error instanceof TypeError) return undefined;
  throw error;
}
