import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { armFailpoints, hitFailpoints } from '@vibe/platform';
import { CollectionStage } from './collecting-stage';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

/** Every failpoint of the procedure, so that a new one is tested without anybody remembering it. */
const source = readFileSync(join(__dirname, '../src/collect-garbage.ts'), 'utf8');
const failpoints = [...source.matchAll(/failpoint\('([a-z.-]+)'\)/g)].map((match) => match[1] as string);

let stage: CollectionStage;
beforeAll(async () => void (stage = await CollectionStage.start()));
afterAll(() => stage.agents.stop());
beforeEach(() => stage.clear());
afterEach(() => armFailpoints(''));

describe.each(['throw', 'hang'] as const)('an agent that meets its end by a %s', (action) => {
  it.each(failpoints)('at %s ends writable and resumed', async (name) => {
    await stage.ask();
    armFailpoints(`${name}=${action}`);
    while (!hitFailpoints().has(name) && stage.agents.line.waiting.length > 0) {
      const job = stage.agents.line.waiting.shift()!;
      let hasEnded = false;
      void stage.agents.take(job, contextOf()).then(() => (hasEnded = true), () => (hasEnded = true));
      while (!hasEnded && !hitFailpoints().has(name)) await new Promise((resolve) => setImmediate(resolve));
      if (hasEnded && !hitFailpoints().has(name)) stage.agents.line.waiting.push(job);
    }
    expect(hitFailpoints()).toContain(name);
    armFailpoints('');
    // What the reaper does about a flag whose job is gone.
    const at = await stage.collection.current();
    if (at) await stage.ask(at.run);
    await stage.agents.drain();
    await stage.expectResumed();
    expect(stage.seenByCollectors).toEqual([false]);
  });
});
