import fc from 'fast-check';
import { type Scene, badPush, brokenHandler, brokenRound, endsFrozen, forgetfulReaper, lateHandler, lateReaper, quickReturn, takenOver } from './commands/race-commands';
import * as faults from './commands/fault-commands';
import * as users from './commands/user-commands';
import * as works from './commands/work-commands';
import type { Command } from './commands/command';
import { type Fault, fates } from './gate';
import { USERS } from './installation';

const SCENES_MAX = 10;

/** Two sessions run when a history begins; a user holds two at most. */
const someSession = fc.nat({ max: 3 });
const someWorker = fc.constantFrom('worker1' as const, 'worker2' as const);
const someNode = fc.constantFrom('manager' as const, 'worker1' as const, 'worker2' as const);
/** @param calls about as many as the piece of work makes */
const faultIn = (calls: number): fc.Arbitrary<Fault> => fc.record({ call: fc.integer({ min: 1, max: calls }), fate: fc.constantFrom(...fates) });
const ofAgent = fc.option(faultIn(24), { freq: 2 });
const ofApi = fc.option(faultIn(7), { freq: 4 });
const ofReaper = fc.option(faultIn(12), { freq: 3 });

/** Each command as often as it stands here: life goes on more often than it goes wrong. */
const commands: [times: number, arbitrary: fc.Arbitrary<Command>][] = [
  [4, fc.tuple(fc.constantFrom(...USERS), ofApi).map(([user, f]) => users.create(user, f))],
  [8, someSession.map(users.type)],
  [6, fc.tuple(someSession, ofApi).map(([n, f]) => users.comeBack(n, f))],
  [7, fc.tuple(someSession, ofApi).map(([n, f]) => users.askSleep(n, f))],
  [1, fc.tuple(someSession, ofApi).map(([n, f]) => users.remove(n, f))],
  [12, fc.tuple(fc.nat({ max: 3 }), ofAgent).map(([n, f]) => works.work(n, f))],
  [10, fc.integer({ min: 1, max: 4 }).map(works.workSome)],
  [4, fc.tuple(fc.constantFrom('deadlines' as const, 'reconcile' as const, 'registryCare' as const), ofReaper).map(([name, f]) => works.tick(name, f))],
  [2, ofReaper.map(works.lookAtEpoch)],
  [3, fc.tuple(someNode, fc.option(faultIn(8), { freq: 3 })).map(([name, f]) => works.rounds(name, f))],
  [2, fc.constant(works.goIdle)],
  [1, fc.nat({ max: 3 }).map(works.doubleJob)],
  [3, fc.constant(works.wakeStalled)],
  [2, fc.constantFrom(1_000, 61_000, 5 * 60_000, 16 * 60_000, 31 * 60_000).map(faults.clockMoves)],
  [1, fc.constant(faults.aWeekPasses)],
  [1, someSession.map(faults.containerEnds)],
  [1, someWorker.map(faults.engineRestarts)],
  [1, someWorker.map(faults.nodeDown)],
  [1, someWorker.map(faults.nodeBack)],
  [2, someNode.map(faults.agentDies)],
  [1, someNode.map(faults.secondAgent)],
  [1, fc.constant(faults.registryDown)],
  [1, fc.constantFrom(faults.registryFails(/^GET .*\/blobs\//, 'cut'), faults.registryFails(/^GET .*\/blobs\//, 'corrupt'), faults.registryFails(/manifests/, { status: 503 }), faults.registryFails(/^(PUT|POST|PATCH) /, { status: 500 }), faults.registryFails(/^(DELETE|PUT) /, 'unheard'))],
  [2, fc.constant(faults.registryUp)],
  [2, fc.tuple(someWorker, fc.constantFrom('lies' as const, 'fails' as const, 'cuts' as const, null)).map(([name, f]) => faults.pushGoesWrong(name, f))],
  [1, fc.tuple(someWorker, fc.boolean()).map(([name, isLost]) => faults.eventsAreLost(name, isLost))],
  [2, fc.tuple(someSession, fc.boolean()).map(([n, isFrozenAgain]) => faults.strayThaw(n, isFrozenAgain))],
  [1, fc.constant(faults.redisRestarts)],
  [1, fc.constant(faults.redisIsEmptied)],
  [1, fc.nat({ max: 6 }).map(faults.redisIsRewound)],
  [1, fc.constantFrom('image' as const, 'repository' as const, 'secret' as const).map(faults.orphanIsMade)],
];

const single = fc.oneof(...commands.map(([weight, arbitrary]) => ({ weight, arbitrary: arbitrary.map((one): Scene => [one]) })));

/** Mostly single commands, in between what takes several to go wrong. */
const scene: fc.Arbitrary<Scene> = fc.oneof(
  { weight: 14, arbitrary: single },
  { weight: 3, arbitrary: lateHandler },
  { weight: 3, arbitrary: brokenHandler },
  { weight: 1, arbitrary: lateReaper },
  { weight: 1, arbitrary: brokenRound },
  { weight: 1, arbitrary: endsFrozen },
  { weight: 1, arbitrary: badPush },
  { weight: 1, arbitrary: quickReturn },
  { weight: 1, arbitrary: takenOver },
  { weight: 1, arbitrary: forgetfulReaper },
);

/** Random histories: the same seed gives the same ones. A failing one is made shorter scene by scene. */
export const histories = (): fc.Arbitrary<Scene> => fc.array(scene, { minLength: 1, maxLength: SCENES_MAX, size: 'max' }).map((scenes) => scenes.flat());
