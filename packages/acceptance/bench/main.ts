/**
 * Benchmarks on the lab; scripts/bench starts it.
 *   main start|hibernate [--rounds N] [--megabytes N] [--json]
 * Progress goes to stderr; stdout gets a table, or with --json one JSON object alone.
 */
import { parseArgs } from 'node:util';
import { Lab } from '../src/lab';
import { Person } from '../src/person';
import { explain } from '../src/step-printer';
import { benchHibernate, hibernateNames } from './bench-hibernate';
import { benchStart, startNames } from './bench-start';
import { figuresOf, tableOf } from './figures';

/** What is promised: ours at most so many times the raw figure. */
const bars = { start: 1.5, hibernate: 1.3 } as const;
const USER = 'bench';

function wholeNumber(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} takes a whole number above 0, not "${text}"`);
  return value;
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string' }, megabytes: { type: 'string', default: '100' }, json: { type: 'boolean', default: false } },
  });
  const [kind] = positionals;
  if (positionals.length !== 1 || (kind !== 'start' && kind !== 'hibernate')) throw new Error('say which benchmark: start or hibernate');
  const rounds = wholeNumber(values.rounds ?? (kind === 'start' ? '12' : '6'), '--rounds');
  const megabytes = wholeNumber(values.megabytes, '--megabytes');
  const say = (progress: string): void => void process.stderr.write(`  ${progress}\n`);

  const lab = new Lab();
  const person = await Person.signIn(await lab.installation(), USER);
  try {
    const options = { lab, person, rounds, say };
    const figures = figuresOf(await (kind === 'start' ? benchStart(options) : benchHibernate({ ...options, megabytes })));
    process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : tableOf(kind === 'start' ? startNames : hibernateNames, figures, bars[kind]));
  } finally {
    await person.leave();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${explain(error)}\n`);
  process.exitCode = 1;
});
