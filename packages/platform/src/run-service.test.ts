import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { z } from 'zod';
import { armFailpoints } from './failpoint';
import type { ServiceParts } from './run-service';
import { runService } from './run-service';
import { numberSetting, serviceSettings } from './settings';

const schema = z.object({ ...serviceSettings, LIMIT: numberSetting({ default: 1 }) });
type Parts = ServiceParts<z.output<typeof schema>>;

/** A process that only pretends to exit. */
class FakeHost extends EventEmitter {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly codes: number[] = [];

  constructor(readonly env: Record<string, string> = {}) {
    super();
  }

  exit(code: number): void {
    this.codes.push(code);
    this.emit('exited');
  }

  printed(stream: PassThrough): string {
    return (stream.read() as Buffer | null)?.toString() ?? '';
  }
}

const run = (host: FakeHost, start: (parts: Parts) => Promise<void>) => runService({ service: 'test', schema, start }, host);

describe('the life of a service', () => {
  afterEach(() => armFailpoints(''));

  it('does not begin with wrong settings: it names them all and exits', async () => {
    const host = new FakeHost({ PORT: 'x', LIMIT: '-1' });
    const start = jest.fn();
    await run(host, start);
    expect(host.codes).toEqual([1]);
    expect(host.printed(host.stderr)).toMatch(/PORT: .*\n.*LIMIT: /);
    expect(start).not.toHaveBeenCalled();
  });

  it('ends on SIGTERM by its stop steps, with code 0', async () => {
    const host = new FakeHost();
    const stopped = jest.fn();
    await run(host, async ({ lifecycle }) => lifecycle.onStop('thing', 1_000, stopped));
    host.emit('SIGTERM', 'SIGTERM');
    await once(host, 'exited');
    expect(stopped).toHaveBeenCalledTimes(1);
    expect(host.codes).toEqual([0]);
  });

  it('exits at once on a second signal', async () => {
    const host = new FakeHost();
    await run(host, async ({ lifecycle }) => lifecycle.onStop('thing', 60_000, () => new Promise((resolve) => host.once('release', resolve))));
    host.emit('SIGTERM', 'SIGTERM');
    host.emit('SIGINT', 'SIGINT');
    expect(host.codes).toEqual([1]);
    host.emit('release');
    await once(host, 'exited');
  });

  it('runs the same steps after a failed start, and exits with 1', async () => {
    const host = new FakeHost();
    const stopped = jest.fn();
    await run(host, async ({ lifecycle }) => {
      lifecycle.onStop('thing', 1_000, stopped);
      throw new Error('the port is taken');
    });
    expect(stopped).toHaveBeenCalledTimes(1);
    expect(host.codes).toEqual([1]);
    expect(host.printed(host.stdout)).toContain('the port is taken');
  });

  it.each(['uncaughtException', 'unhandledRejection'])('ends at once on an %s, with the reason in the log', async (fault) => {
    const host = new FakeHost();
    await run(host, async () => {});
    host.emit(fault, new Error('surprise'));
    expect(host.codes).toEqual([1]);
    expect(host.printed(host.stdout)).toContain('surprise');
  });

  it('warns when failpoints are armed, and refuses ones it does not understand', async () => {
    const armed = new FakeHost({ VIBE_FAILPOINTS: 'a.b=throw' });
    await run(armed, async () => {});
    expect(armed.printed(armed.stdout)).toContain('failpoints are armed');
    const wrong = new FakeHost({ VIBE_FAILPOINTS: 'a.b=explode' });
    await run(wrong, async () => {});
    expect(wrong.codes).toEqual([1]);
  });
});
