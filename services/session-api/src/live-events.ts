import type { SessionEvent } from '@vibe/contracts';
import { Gauge, type Logger, type Registry } from '@vibe/platform';
import type { Response } from 'express';
import { type EventStream, openEventStream } from './event-stream';
import { type FeedSource, UserFeed } from './user-feed';

const BEAT_MS = 15_000;
/** A stream is admitted once, at its start: it ends after this long, and the reader is asked again who it is. */
const STREAM_MAX_MS = 30 * 60_000;
const STREAMS_PER_USER_MAX = 20;
const RESYNC_RETRY_MS = 1_000;

/** Live events for all users of this process, fed by one subscription. */
export class LiveEvents {
  private readonly feeds = new Map<string, UserFeed>();
  private readonly beat: NodeJS.Timeout;
  private resync: NodeJS.Timeout | undefined;
  private isClosed = false;

  /**
   * @param options.sourceOf what a user's feed reads
   * @param options.isBelievable false while Redis is away or being rebuilt: no list is told then
   */
  constructor(
    private readonly options: {
      sourceOf: (userId: string) => FeedSource;
      isBelievable: () => Promise<boolean>;
      logger: Logger;
      registry: Registry;
    },
  ) {
    this.beat = setInterval(() => this.each((stream) => stream.beat()), BEAT_MS);
    const feeds = this.feeds;
    new Gauge({
      name: 'vibe_live_streams',
      help: 'Open streams of live events',
      registers: [options.registry],
      collect() {
        this.set([...feeds.values()].reduce((sum, feed) => sum + feed.size, 0));
      },
    });
  }

  /** Answers a request with the user's live events until either side ends them. */
  attach(userId: string, response: Response): void {
    const feed = this.feedOf(userId);
    const end = setTimeout(() => stream.close(), STREAM_MAX_MS);
    const stream = openEventStream(response, () => {
      clearTimeout(end);
      feed.remove(stream);
      if (feed.size === 0 && this.feeds.get(userId) === feed) this.feeds.delete(userId);
    });
    if (this.isClosed) return stream.close();
    if (feed.size >= STREAMS_PER_USER_MAX) feed.oldest()?.close();
    feed.add(stream);
  }

  /** Something was published about a session. */
  take(event: SessionEvent): void {
    const feed = this.feeds.get(event.user_id);
    if (!feed) return;
    if (event.kind === 'removed') feed.removed(event.session_id);
    else feed.changed(event.session_id, event.kind !== 'move');
  }

  /** News may have been lost: tells everybody the whole list as soon as it can be believed. */
  resyncAll(): void {
    clearTimeout(this.resync);
    if (this.isClosed) return;
    this.options.isBelievable().then(
      (isBelievable) => {
        if (isBelievable) for (const feed of this.feeds.values()) feed.tellAll();
        else this.resyncLater();
      },
      () => this.resyncLater(),
    );
  }

  /** Ends all streams; their readers connect to another process. Safe to repeat. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.beat);
    clearTimeout(this.resync);
    this.each((stream) => stream.close());
  }

  private resyncLater(): void {
    if (!this.isClosed) this.resync = setTimeout(() => this.resyncAll(), RESYNC_RETRY_MS);
  }

  private each(act: (stream: EventStream) => void): void {
    for (const feed of this.feeds.values()) feed.each(act);
  }

  private feedOf(userId: string): UserFeed {
    let feed = this.feeds.get(userId);
    if (!feed) {
      feed = new UserFeed(this.options.sourceOf(userId), (error) => this.options.logger.warn('live events could not be read', { error }));
      this.feeds.set(userId, feed);
    }
    return feed;
  }
}
