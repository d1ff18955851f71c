import type { ApiSession } from '@vibe/contracts';
import type { EventStream } from './event-stream';

/** What the feed reads: one's sessions, or one of them (null: gone) as they are now. */
export interface FeedSource {
  list(): Promise<ApiSession[]>;
  one(id: string): Promise<ApiSession | null>;
}

type News = { readonly kind: 'list'; readonly number: number } | { readonly kind: 'session' | 'removed'; readonly id: string };

/**
 * The streams of one user. News is told one after the other, in the order in which it came, to all of them; each is read
 * when its turn comes, so that nothing older ever follows something newer. A stream hears news only after its first list.
 */
export class UserFeed {
  private readonly streams = new Set<EventStream>();
  /** Streams that hear nothing before the list of this number: an earlier one may lack what they missed. */
  private readonly waitingForList = new Map<EventStream, number>();
  private lists = 0;
  private readonly news: News[] = [];
  private isTelling = false;

  /** @param onFailure told when something could not be read; the streams are closed then and come back for the whole list */
  constructor(
    private readonly source: FeedSource,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  get size(): number {
    return this.streams.size;
  }

  add(stream: EventStream): void {
    this.streams.add(stream);
    this.pushList([stream]);
  }

  remove(stream: EventStream): void {
    this.streams.delete(stream);
    this.waitingForList.delete(stream);
  }

  /** The stream that has been open longest. */
  oldest(): EventStream | undefined {
    return this.streams.values().next().value;
  }

  /** Tells of one session as it will be when its turn comes. `isMinor`: one telling stands for several. */
  changed(id: string, isMinor: boolean): void {
    if (isMinor && this.news.some((news) => news.kind === 'session' && news.id === id)) return;
    this.push({ kind: 'session', id });
  }

  removed(id: string): void {
    this.push({ kind: 'removed', id });
  }

  /** Tells the whole list to everybody: news may have been lost. */
  tellAll(): void {
    this.pushList(this.streams);
  }

  each(act: (stream: EventStream) => void): void {
    for (const stream of [...this.streams]) act(stream);
  }

  private pushList(streams: Iterable<EventStream>): void {
    this.lists += 1;
    for (const stream of streams) this.waitingForList.set(stream, this.lists);
    this.push({ kind: 'list', number: this.lists });
  }

  private push(news: News): void {
    this.news.push(news);
    if (!this.isTelling) void this.tellWaiting();
  }

  private async tellWaiting(): Promise<void> {
    this.isTelling = true;
    try {
      for (let news = this.news.shift(); news; news = this.news.shift()) await this.tell(news);
    } catch (error) {
      this.news.length = 0;
      this.onFailure(error);
      this.each((stream) => stream.close());
    } finally {
      this.isTelling = false;
    }
  }

  private async tell(news: News): Promise<void> {
    if (news.kind === 'list') return this.tellList(news.number);
    const session = news.kind === 'session' ? await this.source.one(news.id) : null;
    for (const stream of this.streams) {
      if (this.waitingForList.has(stream)) continue;
      if (session) stream.send('session', { session });
      else if (news.kind === 'removed') stream.send('removed', { id: news.id });
    }
  }

  private async tellList(number: number): Promise<void> {
    const waiting = [...this.waitingForList].filter(([, wanted]) => wanted <= number).map(([stream]) => stream);
    if (waiting.length === 0) return;
    const sessions = await this.source.list();
    for (const stream of waiting) {
      // It may have left, or be told to wait for a later list, while this one was read.
      if ((this.waitingForList.get(stream) ?? Infinity) > number) continue;
      this.waitingForList.delete(stream);
      stream.send('sessions', { sessions });
    }
  }
}
