const LOOK_EVERY_MS = 20;
/** Only what hangs is ended by it. */
const LIMIT_MS = 240_000;

/** Resolves when `look` finds something; other processes tell nobody, so it looks again and again. */
export async function whenFound<T>(what: string, look: () => Promise<T | null | undefined | false> | T | null | undefined | false, options: { limitMs?: number; explain?: () => string } = {}): Promise<T> {
  const end = Date.now() + (options.limitMs ?? LIMIT_MS);
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`it never came to this: ${what}\n${options.explain?.() ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Resolves when it is true. */
export async function whenTrue(what: string, look: () => Promise<boolean> | boolean, options: { limitMs?: number; explain?: () => string } = {}): Promise<void> {
  await whenFound(what, look, options);
}
