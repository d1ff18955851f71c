/** A title set by a program inside, safe to show: one line, no control or direction characters, short. */
export function titleWords(title: string): string {
  const clean = title.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
  return clean.length > 80 ? `${clean.slice(0, 79)}…` : clean;
}
