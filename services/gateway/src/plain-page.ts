import type { Response } from 'express';
import { plainPolicy } from './page-policy';
import { plainStyle } from './plain-style';

/** The mark of packages/web/src/icon.svg. */
const mark =
  '<svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#0f6b5c"/><path d="M8 10.5 14 16l-6 5.5" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/><path d="M17 22h7.5" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>';

const plainPagePolicy = plainPolicy(plainStyle);

/** Text as it may stand in HTML, attribute values included. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] as string);
}

/** Sends a page of the gateway itself: one card in the middle. `content` is HTML, everything in it that came from outside escaped. */
export function sendPlainPage(response: Response, status: number, page: { title: string; content: string }): void {
  response.setHeader('Content-Security-Policy', plainPagePolicy);
  response.status(status).type('html').send(`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escapeHtml(page.title)} · Vibeswarm</title>
    <style>${plainStyle}</style>
  </head>
  <body>
    <main>
      <p class="brand">${mark}Vibeswarm</p>
${page.content}
    </main>
  </body>
</html>
`);
}
