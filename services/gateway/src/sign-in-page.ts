import type { AuthMode } from '@vibe/identity';
import type { Response } from 'express';
import { escapeHtml, sendPlainPage } from './plain-page';
import { returnPath } from './return-path';

interface SignInForm {
  /** The form's one field. */
  readonly field: string;
  readonly label: string;
  readonly attributes: string;
  readonly note: string;
}

/** What the sign-in page asks for, by the way people sign in. */
export const signInForms: Readonly<Record<AuthMode, SignInForm>> = {
  dev: {
    field: 'user',
    label: 'Pick a name',
    attributes: 'type="text" maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" placeholder="ada"',
    note: 'Only this machine reaches this installation, so any name will do. Each name has terminals of its own.',
  },
  token: {
    field: 'token',
    label: 'Your token',
    attributes: 'type="password" maxlength="2048" autocomplete="current-password" spellcheck="false"',
    note: 'No token yet? Whoever runs this installation prints one with <code>./scripts/token NAME</code>.',
  },
};

/** Sends the sign-in page; `problem` says why an attempt was refused and `typed` is what to show again (never a token). */
export function sendSignInPage(response: Response, status: number, options: { mode: AuthMode; next: unknown; problem?: string; typed?: string }): void {
  const { field, label, attributes, note } = signInForms[options.mode];
  const problem = options.problem === undefined ? '' : `<p class="problem" id="problem" role="alert">${escapeHtml(options.problem)}</p>`;
  const invalid = options.problem === undefined ? '' : ' aria-invalid="true" aria-describedby="problem"';
  const value = options.typed === undefined ? '' : ` value="${escapeHtml(options.typed)}"`;
  sendPlainPage(response, status, {
    title: 'Sign in',
    content: `      <h1>Sign in</h1>
      <p class="soft">Terminals that sleep when you leave and come back as they were.</p>
      ${problem}
      <form method="post" action="/sign-in">
        <input type="hidden" name="next" value="${escapeHtml(returnPath(options.next))}">
        <label for="${field}">${label}</label>
        <input id="${field}" name="${field}" ${attributes} required autofocus${value}${invalid}>
        <button class="button" type="submit">Sign in</button>
      </form>
      <p class="note">${note}</p>`,
  });
}
