/** How long no tick may come before something is done about it, in ms. */
const SILENCE_MAX_MS = 60_000;

/**
 * Whether ticks come. Alive means moving: first the schedules are set up anew, and when that does not help the process ends,
 * for Swarm to start it again. Times in ms of a monotonic clock.
 */
export class Pulse {
  private isRenewed = false;

  /** @param lastAt when the process began to expect ticks */
  constructor(private lastAt: number) {}

  /** A tick came. */
  beat(now: number): void {
    this.lastAt = now;
    this.isRenewed = false;
  }

  /** None could come: Redis is away or being rebuilt. */
  excuse(now: number): void {
    this.lastAt = now;
  }

  /** What must be done now. `renew` is said once; then it takes as long again until `end`. */
  check(now: number): 'fine' | 'renew' | 'end' {
    if (now - this.lastAt <= SILENCE_MAX_MS) return 'fine';
    if (this.isRenewed) return 'end';
    this.isRenewed = true;
    this.lastAt = now;
    return 'renew';
  }
}
