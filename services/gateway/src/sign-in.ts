import { userIdSchema } from '@vibe/contracts';
import type { AuthMode, Doorkeeper, Tokens } from '@vibe/identity';
import { SIGN_IN_LIFE_S, signInCookie, signOutCookie } from '@vibe/identity';
import { formBodies } from '@vibe/platform';
import type { Express } from 'express';
import { returnPath } from './return-path';
import { sendSignInPage, signInForms } from './sign-in-page';

export interface SignInOptions {
  readonly mode: AuthMode;
  readonly doorkeeper: Doorkeeper;
  readonly tokens: Tokens;
}

/** What came of an attempt: a cookie to set, or why not. */
type Attempt = { readonly token: string; readonly lifeS: number; readonly userId: string } | { readonly problem: string };

/**
 * Signing in and out, by plain forms. Both forms must come from our own pages: otherwise another site could sign somebody
 * in under its own name and watch what they type.
 */
export function signInRoutes(app: Express, options: SignInOptions): void {
  const { mode, doorkeeper, tokens } = options;
  const { field } = signInForms[mode];
  const attempts: Readonly<Record<AuthMode, (typed: string) => Attempt>> = { dev: pickName(tokens), token: checkToken(tokens) };

  app.get('/sign-in', async (request, response) => {
    const identity = await doorkeeper.identify(request.headers);
    if (identity) return response.redirect(302, returnPath(request.query.next));
    sendSignInPage(response, 200, { mode, next: request.query.next });
  });

  app.post('/sign-in', ...formBodies(), (request, response) => {
    doorkeeper.requireOurOrigin(request.headers);
    const form = (request.body ?? {}) as Record<string, unknown>;
    const typed = typeof form[field] === 'string' ? form[field].trim() : '';
    const attempt = attempts[mode](typed);
    if ('problem' in attempt) {
      return sendSignInPage(response, 401, { mode, next: form.next, problem: attempt.problem, ...(mode === 'dev' ? { typed } : {}) });
    }
    response.locals.logFields = { user_id: attempt.userId };
    response.setHeader('Set-Cookie', signInCookie(attempt.token, attempt.lifeS));
    response.redirect(303, returnPath(form.next));
  });

  app.post('/sign-out', ...formBodies(), (request, response) => {
    doorkeeper.requireOurOrigin(request.headers);
    response.setHeader('Set-Cookie', signOutCookie());
    response.redirect(303, '/sign-in');
  });
}

const pickName =
  (tokens: Tokens) =>
  (typed: string): Attempt => {
    const userId = userIdSchema.safeParse(typed);
    if (!userId.success) return { problem: 'A name has 1 to 64 letters, digits or . _ @ - and starts with a letter or digit.' };
    return { token: tokens.sign({ userId: userId.data, roles: [] }, SIGN_IN_LIFE_S), lifeS: SIGN_IN_LIFE_S, userId: userId.data };
  };

/** The token itself becomes the cookie: signing in with it never makes it last longer. */
const checkToken =
  (tokens: Tokens) =>
  (typed: string): Attempt => {
    const verified = tokens.verify(typed);
    if (!verified) return { problem: 'This token is not valid here, or no longer. Ask for a new one.' };
    return { token: typed, lifeS: verified.leftS, userId: verified.userId };
  };
