import type { Express } from 'express';

/** The mark of packages/web/src/icon.svg, for pages of the gateway's own: they need no built pages to look right. */
export const mark =
  '<svg xmlns="http://www.w3.org/2000/svg" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#0f6b5c"/><path d="M8 10.5 14 16l-6 5.5" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/><path d="M17 22h7.5" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>';

export const ICON_PATH = '/icon.svg';

/** The icon of a tab. Browsers ask for the second name on pages that name none. */
export function iconRoute(app: Express): void {
  app.get([ICON_PATH, '/favicon.ico'], (_request, response) => {
    response.setHeader('Cache-Control', 'public, max-age=86400');
    response.type('image/svg+xml').send(mark);
  });
}
