import { ApiClient, UnexpectedAnswer } from './api-client';
import type { Installation } from './installation';
import { Person } from './person';

export interface SmokeCheckOptions {
  readonly installation: Installation;
  readonly userId: string;
  /** Called when a step begins. */
  readonly onStep: (what: string) => void;
  /** For a slow first start: how long the terminal may take, in ms. */
  readonly withinMs: number;
}

const NAME = 'smoke check';

/**
 * Does what one user does: creates a session, hears of its start in the live events, opens its terminal, types, reads the
 * answer, deletes it. Leaves nothing behind, not even after an earlier check that was interrupted. Throws at the first
 * step that does not work.
 */
export async function smokeCheck(options: SmokeCheckOptions): Promise<void> {
  const { installation, userId, onStep, withinMs } = options;
  onStep(`sign in as ${userId}`);
  const person = await Person.signIn(installation, userId);
  try {
    const left = (await person.api.list()).filter(({ name }) => name === NAME);
    if (left.length > 0) onStep(`delete ${left.length} left by an earlier check`);
    for (const { id } of left) await person.delete(id);

    onStep('create a session');
    const { id } = await person.api.create(NAME);
    try {
      onStep('wait until its terminal listens');
      await person.events.untilState(id, 'running', { withinMs });
      onStep('open the terminal');
      const terminal = await person.openTerminal(id);
      onStep('type, and read the answer');
      terminal.type('echo "the answer is $((6*7))"\r');
      await terminal.expect(/the answer is 42/);
      terminal.close();
    } finally {
      onStep('delete the session');
      await person.delete(id);
    }
    onStep('somebody who is not signed in is refused');
    await refusesStrangers(installation);
  } finally {
    await person.close();
  }
}

async function refusesStrangers(installation: Installation): Promise<void> {
  const nobody = new ApiClient(installation, null);
  try {
    const answer = await nobody.send('GET', '/api/sessions');
    if (answer.status !== 401) throw new UnexpectedAnswer('GET /api/sessions without a token', answer);
  } finally {
    await nobody.close();
  }
}
