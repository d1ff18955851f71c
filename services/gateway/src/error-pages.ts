import { errorStatus } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import type { ErrorRequestHandler, Express, Request } from 'express';
import { escapeHtml, sendPlainPage } from './plain-page';
import { LIST_PATH } from './return-path';

/** True where a person looks at the answer rather than a program. */
const isRead = (request: Request): boolean => (request.headers.accept ?? '').includes('text/html');

const titles: Readonly<Record<string, string>> = {
  not_found: 'Nothing here',
  forbidden_origin: 'Not from here',
  unavailable: 'Back in a moment',
};

const showError: ErrorRequestHandler = (error: unknown, request, response, next) => {
  const status = error instanceof CodedError ? (errorStatus as Readonly<Record<string, number>>)[error.code] : undefined;
  if (!(error instanceof CodedError) || status === undefined || !isRead(request) || response.headersSent) return next(error);
  const [first = '', ...rest] = error.message;
  sendPlainPage(response, status, {
    title: titles[error.code] ?? 'That did not work',
    content: `      <h1>${escapeHtml(titles[error.code] ?? 'That did not work')}</h1>
      <p class="soft">${escapeHtml(first.toUpperCase() + rest.join(''))}.</p>
      <p><a class="button" href="${LIST_PATH}">My sessions</a></p>`,
  });
};

/** For people, an error is a page; programs get the JSON that every service answers with. To be added after all routes. */
export function errorPages(app: Express): void {
  app.use((request, _response, next) => next(isRead(request) ? new CodedError('not_found', 'there is nothing at this address') : undefined));
  app.use(showError);
}
