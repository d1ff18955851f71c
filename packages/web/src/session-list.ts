import type { ApiSession } from '@vibe/contracts';
import { stateTable } from '@vibe/contracts/session-states';

/**
 * What to believe when a call is answered. Live events come in order and are always believed; an answer comes over
 * another connection and may arrive after a later event: then it is left aside. On equal age the answer wins (a name or
 * a step may have changed within a state).
 */
export function withAnswer(known: ApiSession | null, answer: ApiSession): ApiSession {
  if (known === null) return answer;
  if (answer.generation !== known.generation) return answer.generation > known.generation ? answer : known;
  return Date.parse(answer.state_since) >= Date.parse(known.state_since) ? answer : known;
}

/** The list with one session put in or replaced; oldest first. */
export function withSession(list: readonly ApiSession[], session: ApiSession): ApiSession[] {
  return inOrder([...withoutSession(list, session.id), session]);
}

/** The list without the session of that id. */
export function withoutSession(list: readonly ApiSession[], id: string): ApiSession[] {
  return list.filter((one) => one.id !== id);
}

/** Oldest first; the id decides between equals, so that cards never change places. */
export function inOrder(list: readonly ApiSession[]): ApiSession[] {
  return [...list].sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at) || (a.id < b.id ? -1 : 1));
}

/** How many of the list take up one of the user's places. */
export function placesTaken(list: readonly ApiSession[]): number {
  return list.filter((one) => stateTable[one.state].countsInQuota).length;
}
