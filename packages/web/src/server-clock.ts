/**
 * The service's time on a machine whose clock may be wrong: all times a person sees are measured against this one.
 * `now` is the browser's clock in ms.
 */
export function createServerClock(now: () => number): ServerClock {
  let offsetMs = 0;
  return {
    now: () => now() + offsetMs,
    learn: (dateHeader) => {
      const at = dateHeader === null ? NaN : Date.parse(dateHeader);
      if (Number.isNaN(at)) return;
      const difference = at - now();
      // The header has whole seconds and was some time under way: a smaller difference is noise.
      offsetMs = Math.abs(difference) < 3_000 ? 0 : difference;
    },
  };
}

export interface ServerClock {
  /** ms since 1970, by the service's clock as far as it is known. */
  readonly now: () => number;
  /** Takes the `Date` header of an answer. */
  readonly learn: (dateHeader: string | null) => void;
}
