import type { Response } from 'express';
import { ICON_PATH, mark } from './icon';
import { plainPolicy } from './page-policy';
import { plainStyle } from './plain-style';

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
    <link rel="icon" href="${ICON_PATH}" type="image/svg+xml">
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
