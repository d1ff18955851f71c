/** One event of a `text/event-stream`. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

/**
 * Cuts a `text/event-stream` into events (WHATWG HTML, 9.2.6): feed it text as it comes, it returns the events that
 * became whole. Comments and unknown fields are dropped.
 */
export class EventStreamParser {
  #rest = '';

  feed(text: string): StreamEvent[] {
    this.#rest += text;
    const blocks = this.#rest.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      let name = 'message';
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
        if (field === 'event') name = value ?? '';
        if (field === 'data') data.push(value ?? '');
      }
      return data.length === 0 ? [] : [{ name, data: data.join('\n') }];
    });
  }
}
