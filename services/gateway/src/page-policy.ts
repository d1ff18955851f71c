import { createHash } from 'node:crypto';

function policy(directives: Readonly<Record<string, string>>): string {
  return Object.entries({
    'default-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'self'",
    'frame-ancestors': "'none'",
    'img-src': "'self'",
    ...directives,
  })
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

/** The list of sessions: our own files alone. */
export const listPolicy = policy({ 'script-src': "'self'", 'style-src': "'self'", 'font-src': "'self'", 'connect-src': "'self'", 'manifest-src': "'self'" });

/**
 * The terminal: as above, but xterm.js makes `<style>` elements for its colours and cell sizes as it runs. `wss:` is named for
 * browsers in which 'self' does not cover sockets.
 */
export const terminalPolicy = (publicHost: string): string =>
  policy({ 'script-src': "'self'", 'style-src': "'self' 'unsafe-inline'", 'font-src': "'self'", 'connect-src': `'self' wss://${publicHost}` });

/** A page of the gateway itself: no script at all, one style sheet known by its hash. */
export const plainPolicy = (style: string): string => policy({ 'style-src': `'sha256-${createHash('sha256').update(style).digest('base64')}'` });
