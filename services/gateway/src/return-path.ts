import { sessionIdSchema } from '@vibe/contracts';

export const LIST_PATH = '/terminal/';
export const terminalPathOf = (id: string): string => `${LIST_PATH}${id}`;

/** Where to go after signing in: one of our own pages by its exact path, the list for anything else. Never another site. */
export function returnPath(next: unknown): string {
  if (typeof next !== 'string' || !next.startsWith(LIST_PATH)) return LIST_PATH;
  const id = next.slice(LIST_PATH.length);
  return sessionIdSchema.safeParse(id).success ? terminalPathOf(id) : LIST_PATH;
}

/** The sign-in page that leads back to `path`. */
export const signInPathFor = (path: string): string => `/sign-in?next=${encodeURIComponent(path)}`;
