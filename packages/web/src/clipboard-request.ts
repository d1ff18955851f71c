const MAX_BASE64_CHARACTERS = 1_000_000;

/**
 * The text of an OSC 52 request ("c;" and base64) to fill the clipboard; null for all others: a program may give text
 * to the clipboard, never read or empty it.
 */
export function clipboardText(request: string): string | null {
  const base64 = /^[cps0-7]*;([A-Za-z0-9+/]+={0,2})$/u.exec(request)?.[1];
  if (base64 === undefined || base64.length > MAX_BASE64_CHARACTERS) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  } catch {
    return null;
  }
}
