import fc from 'fast-check';
import { type Fate, type Fault, fates } from '../gate';
import { NODES, USERS } from '../installation';
import { type Command } from './command';
import * as faults from './fault-commands';
import * as users from './user-commands';
import * as works from './work-commands';

/** Several commands that belong together. */
export type Scene = readonly Command[];

const anyFate = fc.constantFrom<Fate>(...fates);
const stalls = fc.constantFrom<Fate>('stalls', 'stalls after');
const onNode = fc.constantFrom('worker1' as const, 'worker2' as const);

/** What may happen to a session while somebody who works on it hangs. */
const meanwhileOf = (n: number): fc.Arbitrary<Scene> =>
  fc.oneof(
    fc.constant([users.comeBack(n, null), users.type(n), users.askSleep(n, null)]),
    fc.constant([users.comeBack(n, null), works.workSome(4), users.type(n), users.askSleep(n, null), works.workSome(4)]),
    fc.boolean().map((isFrozenAgain) => [faults.strayThaw(n, isFrozenAgain)]),
    fc.nat({ max: 3 }).map((moments) => [faults.redisIsRewound(moments)]),
    fc.constant([faults.redisIsEmptied]),
    fc.array(fc.constantFrom(users.comeBack(n, null), users.type(n), users.askSleep(n, null), works.workSome(2), faults.strayThaw(n, false), faults.strayThaw(n, true), works.tick('deadlines', null), faults.clockMoves(16 * 60_000)), { minLength: 1, maxLength: 5 }),
  );

/** Somebody hangs in the middle of putting a session to sleep or waking it, life goes on, and then they go on too. */
export const lateHandler: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 2 }), isSleep: fc.boolean(), call: fc.integer({ min: 1, max: 26 }), fate: stalls, isSecond: fc.boolean() })
  .chain(({ n, isSleep, call, fate, isSecond }) =>
    meanwhileOf(n).map((meanwhile) => [
      ...(isSecond ? [faults.secondAgent('worker1'), faults.secondAgent('worker2')] : []),
      isSleep ? users.askSleep(n, null) : users.comeBack(n, null),
      works.workOn(n, { call, fate }),
      ...meanwhile,
      works.wakeStalled,
    ]),
  );

/** The reaper hangs in the middle of a round, and goes on when what it read is not so any more. */
export const lateReaper: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 2 }), tick: fc.constantFrom('deadlines' as const, 'reconcile' as const, 'registryCare' as const), call: fc.integer({ min: 1, max: 10 }), fate: stalls, isLate: fc.boolean() })
  .chain(({ n, tick, call, fate, isLate }) =>
    meanwhileOf(n).map((meanwhile) => [...(isLate ? [users.askSleep(n, null), works.workSome(3), faults.aWeekPasses] : []), ...NODES.map((name) => works.rounds(name, null)), works.tick(tick, { call, fate }), ...meanwhile, works.wakeStalled]),
  );

/** The reaper hangs while it holds what is there against the records, and Redis is emptied: what it reads then is that nobody has a record. */
export const forgetfulReaper: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 2 }), tick: fc.constantFrom('reconcile' as const, 'registryCare' as const), call: fc.integer({ min: 1, max: 10 }), fate: stalls })
  .map(({ n, tick, call, fate }) => [users.type(n), users.askSleep(n, null), works.workSome(4), ...NODES.map((name) => works.rounds(name, null)), works.tick(tick, { call, fate }), faults.redisIsEmptied, works.wakeStalled]);

/** What leads to a job of session n, which then goes wrong. */
const brokenJobOf = (n: number, fault: Fault): fc.Arbitrary<Scene> =>
  fc.constantFrom<Scene>(
    [users.type(n), users.askSleep(n, null), works.workOn(n, fault)],
    [users.askSleep(n, null), works.workSome(4), users.comeBack(n, null), works.workOn(n, fault)],
    [users.askSleep(n, null), works.workOn(n, null), works.workOn(n, fault)],
    [users.remove(n, null), works.workOn(n, fault)],
    [users.remove(n, null), works.workSome(4), ...USERS.map((user) => users.create(user, null)), works.work(n, fault)],
  );

/** A job goes wrong at one call, of whatever kind its work is; then its user comes, or somebody else takes it up, or both. */
export const brokenHandler: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 3 }), call: fc.integer({ min: 1, max: 26 }), fate: anyFate, isUserBack: fc.boolean(), isTakenUp: fc.boolean() })
  .chain(({ n, call, fate, isUserBack, isTakenUp }) =>
    brokenJobOf(n, { call, fate }).map((broken) => [
      ...broken,
      ...(isUserBack ? [users.comeBack(n, null), users.type(n)] : []),
      ...(isTakenUp ? [...NODES.map((name) => works.rounds(name, null)), faults.agentsAreBack, works.workSome(4)] : []),
    ]),
  );

/** The reaper's round, or an agent's, goes wrong at one call, when there is something to do. */
export const brokenRound: fc.Arbitrary<Scene> = fc
  .record({
    n: fc.nat({ max: 2 }),
    due: fc.constantFrom<'orphan' | 'snapshot' | 'expiry' | 'death'>('orphan', 'snapshot', 'expiry', 'death'),
    round: fc.constantFrom('deadlines' as const, 'reconcile' as const, 'registryCare' as const, 'worker1' as const, 'worker2' as const),
    call: fc.integer({ min: 1, max: 14 }),
    fate: anyFate,
  })
  .map(({ n, due, round, call, fate }) => [
    ...dues[due](n),
    ...NODES.map((name) => works.rounds(name, null)),
    ...(due === 'orphan' ? [works.tick('reconcile', null), works.tick('registryCare', null), faults.clockMoves(61_000)] : []),
    round === 'worker1' || round === 'worker2' ? works.rounds(round, { call, fate }) : works.tick(round, { call, fate }),
  ]);

const dues = {
  orphan: () => [faults.orphanIsMade('image'), faults.orphanIsMade('repository'), faults.orphanIsMade('secret')],
  snapshot: (n: number) => [users.askSleep(n, null), works.workSome(4), users.comeBack(n, null), works.workSome(4), users.type(n), users.askSleep(n, null), works.workSome(4)],
  expiry: (n: number) => [users.askSleep(n, null), works.workSome(4), faults.aWeekPasses],
  death: (n: number) => [faults.eventsAreLost('worker1', true), faults.eventsAreLost('worker2', true), faults.containerEnds(n)],
} as const satisfies Record<string, (n: number) => Scene>;

/** A session is falling asleep when its container ends, and Redis may forget some or all of it before anybody has saved it. */
export const endsFrozen: fc.Arbitrary<Scene> = fc
  .record({
    n: fc.nat({ max: 2 }),
    call: fc.integer({ min: 5, max: 26 }),
    fate: anyFate,
    isUserBack: fc.boolean(),
    forgets: fc.option(fc.oneof(fc.constant(faults.redisIsEmptied), fc.nat({ max: 5 }).map(faults.redisIsRewound))),
    areAgentsNew: fc.boolean(),
  })
  .map(({ n, call, fate, isUserBack, forgets, areAgentsNew }) => [
    users.type(n),
    users.askSleep(n, null),
    works.workOn(n, { call, fate }),
    faults.engineRestarts('worker1'),
    faults.engineRestarts('worker2'),
    ...(isUserBack ? [users.comeBack(n, null)] : []),
    ...(forgets === null ? [] : [forgets]),
    ...(areAgentsNew ? [faults.agentDies('worker1'), faults.agentDies('worker2')] : []),
    ...NODES.map((name) => works.rounds(name, null)),
    works.wakeStalled,
  ]);

/** A push lies or breaks while a session is put to sleep. */
export const badPush: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 2 }), node: onNode, fault: fc.constantFrom('lies' as const, 'cuts' as const, 'fails' as const) })
  .map(({ n, node, fault }) => [faults.pushGoesWrong(node, fault), users.type(n), users.askSleep(n, null), works.workOn(n, null)]);

/** Sleep, and a return before all of its jobs were done. */
export const quickReturn: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 2 }), pick: fc.nat({ max: 3 }) })
  .map(({ n, pick }) => [users.askSleep(n, null), works.workOn(n, null), users.comeBack(n, null), works.work(pick, null), works.workSome(3), users.type(n)]);

/** An agent hangs near its commit point; another one of its node thaws for the user who came back, and puts to sleep again. */
export const takenOver: fc.Arbitrary<Scene> = fc
  .record({ n: fc.nat({ max: 1 }), call: fc.integer({ min: 15, max: 26 }) })
  .map(({ n, call }) => [
    faults.secondAgent('worker1'),
    faults.secondAgent('worker2'),
    users.askSleep(n, null),
    works.workOn(n, { call, fate: 'stalls' }),
    users.comeBack(n, null),
    users.type(n),
    users.askSleep(n, null),
    works.wakeStalled,
    works.workSome(4),
  ]);
