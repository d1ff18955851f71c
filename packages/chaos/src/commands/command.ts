import type { AsyncCommand } from 'fast-check';
import type { Fault } from '../gate';
import { holdAlways } from '../invariants';
import type { People } from '../life';
import type { World } from '../world';

/** One thing that happens in a history. Always possible: what makes no sense just then does nothing. */
export type Command = AsyncCommand<People, World>;

/** Makes a command of what it does. @param told how it reads in a printed history */
export function command(told: string, act: (people: People, world: World) => Promise<void>): Command {
  return {
    check: () => true,
    toString: () => told,
    async run(people, world) {
      await act(people, world);
      await world.quiet();
      await holdAlways(people, world);
      await world.remember();
    },
  };
}

/** How a fault reads in a printed history. */
export const tellFault = (fault: Fault | null): string => (fault ? `, call ${fault.call} ${fault.fate}` : '');
