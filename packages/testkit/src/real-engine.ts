import { execFileSync } from 'node:child_process';

function answers(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

/**
 * `describe` for tests against a real Engine. Where none answers on this machine, or an image they need is missing, they are
 * skipped, with the reason in their name; in CI they fail instead.
 */
export function describeWithEngine(name: string, images: readonly string[], tests: () => void): void {
  const missing = !answers('docker', 'version') ? 'no Docker Engine answers on this machine' : images.map((image) => (answers('docker', 'image', 'inspect', image) ? '' : `there is no image ${image}: scripts/test makes it`)).find(Boolean);
  if (missing === undefined) return describe(name, tests);
  if (process.env['CI']) return describe(name, () => it('has what it needs', () => Promise.reject(new Error(missing))));
  describe.skip(`${name} (skipped: ${missing})`, tests);
}
