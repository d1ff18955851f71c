import type { ApiSession } from '@vibe/contracts';
import { asFailure, type ApiClient } from './api-client';
import type { FeedStatus } from './live-feed';
import type { ServerClock } from './server-clock';
import { follow, type StepTrail } from './step-trail';
import type { SocketStatus, TtydClient } from './ttyd-client';
import { advance, newVisit, socketWish, type Visit, type VisitInput } from './visit';
import { screenOf, type Screen } from './visit-screen';

export interface TerminalPageOptions {
  readonly id: string;
  readonly api: Pick<ApiClient, 'open' | 'hibernate'>;
  readonly clock: ServerClock;
  readonly socket: Pick<TtydClient, 'connect' | 'hold' | 'drop' | 'hurry'>;
  readonly schedule: (ms: number, task: () => void) => () => void;
  /** Something changed: draw again. */
  readonly onChange: () => void;
}

/**
 * The terminal page without its looks: brings what happens (the person, answers, live events, the socket) to `advance`,
 * and does what it decides: call `open`, connect or drop the socket, wake itself up for a repeat.
 */
export class TerminalPage {
  private visit: Visit = newVisit;
  private trail: StepTrail | null = null;
  private socketStatus: SocketStatus = { kind: 'closed' };
  private feedStatus: FeedStatus = { kind: 'connecting' };
  private cancelRetry: (() => void) | null = null;
  private scheduledFor: number | null = null;

  constructor(private readonly options: TerminalPageOptions) {}

  /** The session as far as one may see it; null before the first sight and after the end. */
  get session(): ApiSession | null {
    return this.visit.end === null ? this.visit.session : null;
  }

  get feed(): FeedStatus {
    return this.feedStatus;
  }

  get screen(): Screen {
    return screenOf({ visit: this.visit, socket: this.socketStatus, trail: this.trail, now: this.options.clock.now() });
  }

  readonly person = {
    onArrived: (): void => {
      this.options.socket.hurry();
      this.take({ type: 'arrived' });
    },
    onLeft: (): void => {
      this.take({ type: 'left' });
    },
    onPressed: (): void => {
      this.options.socket.hurry();
      this.take({ type: 'pressed' });
    },
  };

  readonly feedEvents = {
    onSessions: (sessions: ApiSession[]): void => {
      const session = sessions.find((one) => one.id === this.options.id);
      this.take(session === undefined ? { type: 'removed' } : { type: 'changed', session });
    },
    onSession: (session: ApiSession): void => {
      if (session.id === this.options.id) this.take({ type: 'changed', session });
    },
    onRemoved: (id: string): void => {
      if (id === this.options.id) this.take({ type: 'removed' });
    },
    onStatus: (status: FeedStatus): void => {
      this.feedStatus = status;
      this.options.onChange();
    },
    onSignedOut: (): void => {
      this.take({ type: 'signed_out' });
    },
  };

  onSocketStatus(status: SocketStatus): void {
    this.socketStatus = status;
    this.options.onChange();
  }

  /** Asks the service to put the session to sleep; rejects with `ApiFailure`. */
  async sleep(): Promise<void> {
    const session = await this.options.api.hibernate(this.options.id);
    this.take({ type: 'put_to_sleep', session });
  }

  private take(input: VisitInput): void {
    const now = this.options.clock.now();
    const { visit, mustOpen } = advance(this.visit, input, now);
    this.visit = visit;
    this.trail = follow(this.trail, visit.session, now);
    this.steerSocket();
    this.planRetry(now);
    this.options.onChange();
    if (mustOpen) void this.open();
  }

  private async open(): Promise<void> {
    this.take(await this.askToOpen());
  }

  private async askToOpen(): Promise<VisitInput> {
    try {
      const { session, terminal } = await this.options.api.open(this.options.id);
      if (terminal === undefined) return { type: 'coming', session };
      return { type: 'ready', session, terminal: { path: terminal.path, authToken: terminal.auth_token, generation: session.generation } };
    } catch (error) {
      return { type: 'refused', failure: asFailure(error) };
    }
  }

  private steerSocket(): void {
    const { socket } = this.options;
    const { terminal } = this.visit;
    const wish = socketWish(this.visit);
    if (wish === 'connect' && terminal !== null) socket.connect(terminal.path, terminal.authToken);
    else if (wish === 'hold') socket.hold();
    else socket.drop();
  }

  private planRetry(now: number): void {
    const at = this.visit.retryAt;
    if (at === this.scheduledFor) return;
    this.cancelRetry?.();
    this.scheduledFor = at;
    this.cancelRetry = at === null ? null : this.options.schedule(Math.max(0, at - now), () => {
      this.scheduledFor = null;
      this.take({ type: 'retry_due' });
    });
  }
}
