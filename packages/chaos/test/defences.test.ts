import fc from 'fast-check';
import { runChaos } from '../src/chaos-run';
import { type Scene, badPush, forgetfulReaper, lateHandler, quickReturn, takenOver } from '../src/commands/race-commands';
import * as faults from '../src/commands/fault-commands';
import * as users from '../src/commands/user-commands';
import * as works from '../src/commands/work-commands';
import { type Defence, weakenings } from '../src/weakenings';
import { Ground } from '../src/world';

jest.setTimeout(900_000);

/** As many as it may take: most are found within twenty. */
const CYCLES = 150;

/** The end of a life that was put to sleep, however far it came. */
const settled: Scene = [works.workSome(4)];
const several = (scene: fc.Arbitrary<Scene>): fc.Arbitrary<Scene> => fc.array(scene, { minLength: 1, maxLength: 3 }).map((scenes) => [...scenes.flat(), ...settled]);

/** For each defence, the histories that it is there for: the model finds the loss among them when it is taken out. */
const aimedAt: Readonly<Record<Defence, fc.Arbitrary<Scene>>> = {
  'compare on rev': takenOver,
  'the CPU witness': several(lateHandler),
  'the proof by read-back': several(badPush),
  'retire by service id': several(quickReturn),
  'the second sighting': several(forgetfulReaper),
  'the epoch': several(fc.constant<Scene>([users.type(0), users.askSleep(0, null), users.askSleep(1, null), works.workSome(8), faults.redisIsEmptied])),
};

let ground: Ground;
beforeAll(async () => void (ground = await Ground.lay()));
afterAll(() => ground.remove());

describe('the model, held against a product without one of its defences', () => {
  it.each(Object.keys(weakenings) as Defence[])('finds what goes wrong without %s', async (defence) => {
    let cycles = 0;
    const failure = await runChaos(ground, { seed: 1, cycles: CYCLES, of: aimedAt[defence], weaken: weakenings[defence], isShrunk: false, onCycle: () => void (cycles += 1) });
    process.stdout.write(`  without ${defence}: found in cycle ${cycles}: ${failure?.message ?? 'nothing'}\n`);
    expect(failure?.harm).toBe('lost');
  });

  it('finds nothing in the same histories with all of them', async () => {
    for (const of of Object.values(aimedAt)) expect(await runChaos(ground, { seed: 1, cycles: 5, of })).toBeNull();
  });
});
