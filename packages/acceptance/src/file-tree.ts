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

/** A name of 255 bytes, the longest there is, has 128 characters at the least here: two bytes a character, and one. */
const LONG_NAME_CHARACTERS = 128;
const ESCAPED = /\\(x..|u.{4}|U.{8}|.)/g;
const ESCAPED_BEYOND_ASCII = /\\(x[89a-f].|u|U)/;

/** What happened between two trees, each by how many paths show it. */
export interface Traces {
  /** Of the directories that are named: there before, and not any more. */
  readonly gone: number;
  readonly capabilities: number;
  readonly hardLinks: number;
  readonly longNames: number;
  readonly namesBeyondAscii: number;
}

/** Counts the traces of work in a tree: all but `gone` are of lines that were not there before. */
export function tracesOf(before: readonly string[], after: readonly string[], directories: readonly string[]): Traces {
  const untouched = new Set(before);
  const pathOf = (line: string) => line.split(' ', 1)[0] ?? '';
  const left = new Set(after.map(pathOf));
  const isBelow = (path: string) => directories.some((directory) => path.startsWith(`${directory}/`));
  const made = after.filter((line) => !untouched.has(line)).map((line) => line.split(' '));
  const names = made.map(([path = '']) => path.slice(path.lastIndexOf('/') + 1));
  return {
    gone: before.map(pathOf).filter((path) => isBelow(path) && !left.has(path)).length,
    capabilities: made.filter((words) => words[9] !== '-').length,
    hardLinks: made.filter((words) => words[7] !== '-').length,
    longNames: names.filter((name) => name.replace(ESCAPED, '?').length >= LONG_NAME_CHARACTERS).length,
    namesBeyondAscii: names.filter((name) => ESCAPED_BEYOND_ASCII.test(name)).length,
  };
}
