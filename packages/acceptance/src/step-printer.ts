export interface StepPrinter {
  /** Ends the step before with its time and begins the next. */
  begin(what: string): void;
  end(): void;
}

/** Prints one line a step when it is done: what, and how long it took. */
export function stepPrinter(out: { write(text: string): unknown }): StepPrinter {
  let current: { what: string; sinceMs: number } | null = null;
  const end = (): void => {
    if (current) out.write(`  ✓ ${current.what} (${((performance.now() - current.sinceMs) / 1_000).toFixed(1)} s)\n`);
    current = null;
  };
  return {
    begin(what) {
      end();
      current = { what, sinceMs: performance.now() };
    },
    end,
  };
}

/** An error and its causes in one line. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    parts.push(at instanceof Error ? at.message || at.name : typeof at === 'string' ? at : JSON.stringify(at));
  }
  return parts.join(': ');
}
