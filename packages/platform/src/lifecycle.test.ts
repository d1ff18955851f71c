import { Lifecycle } from './lifecycle';
import { silentLogger } from './logging';

describe('an orderly stop', () => {
  it('closes what was opened last first, once, after it said that it is stopping', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    const seen: string[] = [];
    lifecycle.stopping.addEventListener('abort', () => seen.push('stopping'));
    lifecycle.onStop('redis', 1_000, () => void seen.push('redis'));
    lifecycle.onStop('http', 1_000, async () => void seen.push('http'));
    expect(await Promise.all([lifecycle.stop(), lifecycle.stop()])).toEqual([true, true]);
    expect(seen).toEqual(['stopping', 'http', 'redis']);
  });

  it('gives a step that hangs its limit and goes on', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    let isRedisClosed = false;
    lifecycle.onStop('redis', 1_000, () => void (isRedisClosed = true));
    lifecycle.onStop('worker', 5, () => new Promise(() => {}));
    expect(await lifecycle.stop()).toBe(false);
    expect(isRedisClosed).toBe(true);
  });

  it('goes on after a step that fails', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    let isRedisClosed = false;
    lifecycle.onStop('redis', 1_000, () => void (isRedisClosed = true));
    lifecycle.onStop('sync', 1_000, () => {
      throw new Error('no');
    });
    lifecycle.onStop('async', 1_000, () => Promise.reject(new Error('no')));
    expect(await lifecycle.stop()).toBe(false);
    expect(isRedisClosed).toBe(true);
  });
});
