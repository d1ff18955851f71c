import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Runs the command that prints a user's bearer token, with the user's name as its last argument.
 * Throws when it fails or prints anything but one word.
 */
export async function runToken(command: string, userId: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', `${command} "$1"`, 'token', userId], { timeout: 60_000 });
  const token = stdout.trim();
  if (!/^[\w.-]+$/.test(token)) throw new Error(`"${command} ${userId}" printed no token alone on its output`);
  return token;
}
