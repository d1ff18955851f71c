import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab, SessionContainer } from './lab';

/** What every start makes anew: marks and sockets of a generation, its secret's mount point, what was saved of the screens; two files of the Engine's. */
const MADE_ANEW = ['/run/vibe', '/run/secrets', '/home/vibe/.vibe', '/.dockerenv', '/etc/mtab'];
/** The Engine dates it when it writes the files above. */
const DATED_ANEW = /^\/etc dir /;

/** The source of one of the programs of `in-session/`. */
export function sessionProgram(name: string): string {
  return readFileSync(join(__dirname, 'in-session', `${name}.py`), 'utf8');
}

/**
 * Runs one of the programs of `in-session/` inside a session's container. `root` has all capabilities, which nobody in a
 * session has: it stands for whatever could have been in the image. Throws LabCommandFailed.
 */
export function runProgram(lab: Lab, { node, containerId }: SessionContainer, as: 'root' | 'vibe', name: string, ...args: string[]): Promise<string> {
  const user = as === 'root' ? ['--privileged', '--user', '0'] : ['--user', 'vibe', '--env', 'HOME=/home/vibe'];
  return lab.exec(node, 'docker', 'exec', ...user, containerId, 'python3', '-c', sessionProgram(name), ...args);
}

/** The tree hash, spelled out: one line for every path in the container, with all that a sleep must keep of it. */
export async function listTree(lab: Lab, container: SessionContainer, ...without: string[]): Promise<readonly string[]> {
  return (await runProgram(lab, container, 'root', 'list-tree', ...MADE_ANEW, ...without)).split('\n').filter((line) => !DATED_ANEW.test(line));
}

/** What two trees differ in: `-` lines are in the first alone, `+` lines in the second. */
export function differencesOf(before: readonly string[], after: readonly string[]): readonly string[] {
  const [first, second] = [new Set(before), new Set(after)];
  return [...before.filter((line) => !second.has(line)).map((line) => `- ${line}`), ...after.filter((line) => !first.has(line)).map((line) => `+ ${line}`)].sort((a, b) => a.slice(2).localeCompare(b.slice(2)));
}
