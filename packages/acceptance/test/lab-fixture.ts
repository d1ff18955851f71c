import { randomBytes } from 'node:crypto';
import type { Installation } from '../src/installation';
import { Lab } from '../src/lab';
import { Person } from '../src/person';

export interface LabFixture {
  readonly lab: Lab;
  /** Set when the first test begins. */
  readonly installation: Installation;
  /** A new user nobody has seen before; after the test everything of theirs is deleted. */
  signIn(hint?: string): Promise<Person>;
}

/**
 * Gives the tests of one file the running lab. After each test all that its people made is being deleted; the file ends
 * when it is gone.
 */
export function useLab(): LabFixture {
  const lab = new Lab();
  const people: Person[] = [];
  const left: Person[] = [];
  let installation: Installation | undefined;
  const theInstallation = (): Installation => {
    if (installation === undefined) throw new Error('the lab is known from the first test on, not while the file is read');
    return installation;
  };
  beforeAll(async () => {
    installation = await lab.installation();
  });
  afterEach(async () => {
    const mine = people.splice(0);
    left.push(...mine);
    await Promise.all(mine.map((person) => person.abandonAll()));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(left.splice(0).map((person) => person.leave()));
  }, 180_000);
  return {
    lab,
    get installation() {
      return theInstallation();
    },
    async signIn(hint = 'person') {
      const person = await Person.signIn(theInstallation(), `${hint}-${randomBytes(4).toString('hex')}`);
      people.push(person);
      return person;
    },
  };
}

/** Prints a figure that a test measured, so that it stands in the report. */
export function report(figure: string): void {
  process.stdout.write(`    » ${figure}\n`);
}
