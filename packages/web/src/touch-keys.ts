/** Keys that a telephone's keyboard lacks, and what a terminal expects for them. */
export type TouchKey = 'Esc' | 'Tab' | '↑' | '↓' | '←' | '→';

export const touchKeys: readonly TouchKey[] = ['Esc', 'Tab', '↑', '↓', '←', '→'];

const arrows: Readonly<Partial<Record<TouchKey, string>>> = { '↑': 'A', '↓': 'B', '→': 'C', '←': 'D' };

/** The characters a key sends; programs such as vim ask for other arrows (`isApplicationCursor`). */
export function touchKeyText(key: TouchKey, isApplicationCursor: boolean): string {
  if (key === 'Esc') return '\x1b';
  if (key === 'Tab') return '\t';
  return `${isApplicationCursor ? '\x1bO' : '\x1b['}${arrows[key] ?? ''}`;
}

/** The text as if Ctrl had been held: "c" → ^C. Only one letter or one of @[\]^_ has such a form; all else stays. */
export function withCtrl(text: string): string {
  return /^[a-z@[\\\]^_]$/iu.test(text) ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 31) : text;
}
