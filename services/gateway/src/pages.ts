import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sessionIdSchema } from '@vibe/contracts';
import type { Doorkeeper } from '@vibe/identity';
import { CodedError } from '@vibe/platform';
import express from 'express';
import type { Express, Request, Response } from 'express';
import { listPolicy, terminalPolicy } from './page-policy';
import { LIST_PATH, signInPathFor, terminalPathOf } from './return-path';

export interface WebFiles {
  readonly list: string;
  readonly terminal: string;
  /** The folder of files whose names hold a hash of their content. */
  readonly assets: string;
}

/** Reads the built pages. Rejects when one is missing: a gateway without pages must not look healthy. */
export async function readWebFiles(webRoot: string): Promise<WebFiles> {
  const read = (name: string): Promise<string> => readFile(join(webRoot, name), 'utf8');
  const [list, terminal] = await Promise.all([read('index.html'), read('terminal.html')]);
  return { list, terminal, assets: join(webRoot, 'assets') };
}

/** The pages of packages/web, for those who are signed in; all others are led to the sign-in page and back. */
export function pageRoutes(app: Express, options: { web: WebFiles; doorkeeper: Doorkeeper; publicHost: string }): void {
  const { web, doorkeeper } = options;
  const page = (html: string, policy: string, pathOf: (request: Request) => string) => async (request: Request, response: Response) => {
    const path = pathOf(request);
    const identity = await doorkeeper.identify(request.headers);
    if (!identity) return response.redirect(302, signInPathFor(path));
    response.locals.logFields = { user_id: identity.userId };
    response.setHeader('Content-Security-Policy', policy);
    response.type('html').send(html);
  };

  app.get('/', (_request, response) => response.redirect(302, LIST_PATH));
  app.get('/terminal', (_request, response) => response.redirect(302, LIST_PATH));
  app.get('/terminal/', page(web.list, listPolicy, () => LIST_PATH));
  app.use('/terminal/assets', express.static(web.assets, { index: false, redirect: false, dotfiles: 'ignore', cacheControl: false, setHeaders: keepForGood }));
  app.get('/terminal/:id', page(web.terminal, terminalPolicy(options.publicHost), (request) => terminalPathOf(sessionIn(request))));

  // What a person gets who pastes the address of a terminal's inside: the page around it. A container's own pages are never shown.
  app.get('/ttyd/:id', (request, response) => response.redirect(302, terminalPathOf(sessionIn(request))));
  app.get('/ttyd/:id/', (request, response) => response.redirect(302, terminalPathOf(sessionIn(request))));
}

/** Files are named after their content: a changed one has another name. */
function keepForGood(response: { setHeader(name: string, value: string): unknown }): void {
  response.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
}

function sessionIn(request: Request): string {
  const id = sessionIdSchema.safeParse(request.params.id);
  if (!id.success) throw new CodedError('not_found', 'there is nothing here');
  return id.data;
}
