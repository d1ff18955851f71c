/**
 * Checks a running installation over its public doors; used by scripts/up and scripts/verify.
 *   smoke --url https://host[:port] --token-command COMMAND [--user NAME] [--within SECONDS] [--accept-any-certificate]
 * COMMAND prints a bearer token of the user whose name is given to it as its last argument (scripts/token does).
 * Steps and their times go to stderr; the exit status says the rest.
 */
import { parseArgs } from 'node:util';
import { installationAt } from './installation';
import { smokeCheck } from './smoke-check';
import { explain, stepPrinter } from './step-printer';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      'token-command': { type: 'string' },
      user: { type: 'string', default: 'smoke-check' },
      within: { type: 'string', default: '120' },
      'accept-any-certificate': { type: 'boolean', default: false },
    },
  });
  const { url, 'token-command': tokenCommand } = values;
  if (url === undefined || tokenCommand === undefined) throw new Error('--url and --token-command are needed');
  const withinMs = Number(values.within) * 1_000;
  if (!(withinMs > 0)) throw new Error('--within takes a number of seconds');
  const installation = installationAt({ url, tokenCommand, acceptsAnyCertificate: values['accept-any-certificate'] });
  const steps = stepPrinter(process.stderr);
  await smokeCheck({ installation, userId: values.user, withinMs, onStep: (what) => steps.begin(what) });
  steps.end();
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${explain(error)}\n`);
  process.exitCode = 1;
});
