import { allAtOnce } from './all-at-once';

const never = new AbortController().signal;

describe('many things at once', () => {
  it('are done in order of their turn, never more than the limit at once', async () => {
    let [now, most] = [0, 0];
    const results = await allAtOnce([1, 2, 3, 4, 5], { limit: 2, signal: never }, async (item) => {
      most = Math.max(most, (now += 1));
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return item * 10;
    });
    expect([results, most]).toEqual([[10, 20, 30, 40, 50], 2]);
  });

  it('end with the first failure: nothing else is begun, and nothing is under way any more when it is told', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = allAtOnce([1, 2, 3, 4], { limit: 2, signal: never }, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('the first');
      await new Promise((resolve) => setImmediate(resolve));
      ended.push(item);
    });
    await expect(work).rejects.toThrow('the first');
    expect([begun, ended]).toEqual([[1, 2], [2]]);
  });

  it('end with an abort', async () => {
    const stop = new AbortController();
    const begun: number[] = [];
    await expect(allAtOnce([1, 2, 3], { limit: 1, signal: stop.signal }, (item) => Promise.resolve(begun.push(item)).finally(() => stop.abort(new Error('told'))))).rejects.toThrow('told');
    expect(begun).toEqual([1]);
  });
});
