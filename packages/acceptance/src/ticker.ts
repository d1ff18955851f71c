import { sessionProgram } from './file-tree';
import type { TerminalClient } from './terminal-client';

const SOON = 50;

/** What a ticker wrote down: its ticks with their times (ms since 1970, by the node's clock), and the lines it heard. */
export interface TickLog {
  readonly ticks: readonly { readonly number: number; readonly atMs: number }[];
  readonly heard: readonly string[];
}

/** A program in a session's terminal that counts ten times a second, seen through the terminal's socket. */
export class Ticker {
  private constructor(private readonly terminal: TerminalClient) {}

  /** Starts it in the terminal's shell, where it stays in front, and waits for its first tick. */
  static async start(terminal: TerminalClient): Promise<Ticker> {
    const program = Buffer.from(sessionProgram('ticker')).toString('base64');
    terminal.type(` python3 -c "$(echo ${program} | base64 -d)"\r`);
    await terminal.expect(/<tick 1>/);
    return new Ticker(terminal);
  }

  /** The last tick that arrived over the socket. */
  get last(): number {
    return Math.max(0, ...[...this.terminal.text().matchAll(/<tick (\d+)>/g)].map(([, number]) => Number(number)));
  }

  /** Waits for a tick after this one. */
  async after(tick: number, options: { readonly withinMs?: number } = {}): Promise<number> {
    const next = Array.from({ length: SOON }, (_, n) => tick + 1 + n).join('|');
    const [, number] = await this.terminal.expect(new RegExp(`<tick (${next})>`), options);
    return Number(number);
  }

  /** Types a line; the answer to it is `untilHeard`'s matter. */
  type(line: string): void {
    this.terminal.type(`${line}\r`);
  }

  async untilHeard(line: string, options: { readonly withinMs?: number } = {}): Promise<void> {
    await this.terminal.expect(new RegExp(`<heard ${line}>`), options);
  }
}

/** Reads `~/ticks` as the ticker wrote it. */
export function readTickLog(lines: string): TickLog {
  const all = lines.split('\n').filter((line) => line !== '');
  const ticks = all.filter((line) => !line.startsWith('heard ')).map((line) => {
    const [number, seconds] = line.split(' ');
    return { number: Number(number), atMs: Number(seconds) * 1_000 };
  });
  return { ticks, heard: all.filter((line) => line.startsWith('heard ')).map((line) => line.slice('heard '.length)) };
}
