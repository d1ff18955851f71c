import { writeFile } from 'node:fs/promises';
import Table from 'cli-table3';
import type { Harm } from './broken';
import type { Failure } from './chaos-run';

/** What came of a run. */
export interface Figures {
  readonly cycles: number;
  readonly lost: number;
  readonly stuck: number;
  readonly orphans: number;
  readonly seed: number;
}

/** What is published of a full run. */
export interface Publication extends Figures {
  /** Other promises that did not hold (I3, I4, I6, I7, I8). */
  readonly broken: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly minutes: number;
  /** The day it was run. */
  readonly date: string;
}

/** Counts cycles, faults and harm while a run goes on. */
export class Tally {
  cycles = 0;
  readonly faults = new Map<string, number>();
  readonly failures: Failure[] = [];

  constructor(readonly seed: number) {}

  cycle(faults: readonly (readonly [string, number])[]): void {
    this.cycles += 1;
    for (const [kind, times] of faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + times);
  }

  count(harm: Harm): number {
    return this.failures.filter((failure) => failure.harm === harm).length;
  }

  figures(): Figures {
    return { cycles: this.cycles, lost: this.count('lost'), stuck: this.count('stuck'), orphans: this.count('orphans'), seed: this.seed };
  }

  publication(minutes: number, date: string): Publication {
    const faults = Object.fromEntries([...this.faults].sort(([a], [b]) => a.localeCompare(b)));
    return { ...this.figures(), broken: this.count('broken'), faults, minutes: Math.round(minutes * 10) / 10, date };
  }
}

/** The end of a run, for people. */
export function tableOf({ cycles, lost, stuck, orphans, broken, seed, minutes, faults }: Publication): string {
  const table = new Table({ head: ['fault', 'times'], colAligns: ['left', 'right'], style: { head: [], border: [] } });
  table.push(...Object.entries(faults).map(([kind, times]) => [kind, times]));
  const sum = new Table({ style: { head: [], border: [] }, colAligns: ['left', 'right'] });
  sum.push(['cycles', cycles], ['data lost', lost], ['stuck', stuck], ['orphans', orphans], ['other promises broken', broken], ['seed', seed], ['minutes', minutes]);
  return `${table.toString()}\n${sum.toString()}\n`;
}

/** How to see a failure again, and what it was. */
export function tellFailure({ harm, message, seed, path, history }: Failure): string {
  const again = path === '' ? '' : `\n  again: scripts/chaos --cycles 1 --chunk-seed ${seed} --path ${path}`;
  return `${harm}: ${message}${again}\n${history.map((line) => `    ${line}\n`).join('')}`;
}

/** Writes what a full run came to, for the README to quote. */
export async function publish(file: string, publication: Publication): Promise<void> {
  await writeFile(file, `${JSON.stringify(publication, null, 2)}\n`);
}
