import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export type ServiceName = 'hibernator-worker' | 'reaper';

/** A stretch of a session's life on which a failpoint is met. */
export type JourneyName =
  | 'a whole life'
  | 'a return while it is frozen'
  | 'a wish for a node that is away'
  | 'a return before the old service is gone'
  | 'a container that dies'
  | 'a container that ends while it is frozen'
  | 'a start that fails'
  | 'a push that fails'
  | 'an idle session'
  | 'an expiry'
  | 'jobs and services that nobody sees to'
  | 'snapshots that can go'
  | 'a collection of the registry'
  | 'an emptied Redis'
  | 'a rewound Redis';

export interface NamedFailpoint {
  readonly name: string;
  readonly service: ServiceName;
  readonly journey: JourneyName;
}

/** By the area of a name (`thaw.…`), or by the whole name where one step lies aside. What is not here is on the way of every life. */
const journeys: Readonly<Record<string, JourneyName>> = {
  thaw: 'a return while it is frozen',
  elsewhere: 'a wish for a node that is away',
  'start.after-older-service': 'a return before the old service is gone',
  lose: 'a container that dies',
  ended: 'a container that ends while it is frozen',
  'start.after-failed-move': 'a start that fails',
  'hibernate.before-give-up': 'a push that fails',
  idle: 'an idle session',
  overdue: 'an expiry',
  reconcile: 'jobs and services that nobody sees to',
  care: 'snapshots that can go',
  collect: 'a collection of the registry',
  rebuild: 'an emptied Redis',
  'rebuild.after-close': 'a rewound Redis',
};

/** The areas that every life passes, in this order. */
const areasOfLife = ['start', 'hibernate', 'retire', 'erase'];

const services = join(__dirname, '../..');

const areaOf = (name: string) => name.split('.')[0] as string;

/**
 * Every failpoint in the source of a service, so that a new one is tested without anybody remembering it. In the order of a life,
 * as far as areas tell: one life then comes to several that are armed one after the other.
 * @throws when a name stands at two places: a test could not tell which was met
 */
export function failpointsOf(service: ServiceName): NamedFailpoint[] {
  const source = join(services, service, 'src');
  const names = readdirSync(source)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) => [...readFileSync(join(source, file), 'utf8').matchAll(/failpoint\('([a-z.-]+)'\)/g)].map((match) => match[1] as string))
    .sort((one, other) => areasOfLife.indexOf(areaOf(one)) - areasOfLife.indexOf(areaOf(other)));
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) throw new Error(`failpoints at two places: ${twice.join(', ')}`);
  return names.map((name) => ({ name, service, journey: journeys[name] ?? journeys[areaOf(name)] ?? 'a whole life' }));
}
