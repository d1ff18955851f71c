import { startSession } from '../src/start-session';
import { Agents } from './agents';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const servicesOf = (id: string) => agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id));

describe('a start that hung before it made anything, while another one opened that terminal', () => {
  /** Its session runs at generation 1; `goOn` makes it go on and resolves when it has ended. */
  async function hungStart() {
    const { parts } = agents.agent('manager');
    const { id, rev } = await agents.claimCreate();
    let wake: () => void = () => undefined;
    let reach: () => void = () => undefined;
    const hangs = new Promise<void>((resolve) => (wake = resolve));
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const engine = Object.assign(Object.create(parts.engine) as typeof parts.engine, {
      ensureSecret: async (secret: Parameters<typeof parts.engine.ensureSecret>[0]) => {
        reach();
        await hangs;
        return parts.engine.ensureSecret(secret);
      },
    });
    const ended = startSession({ ...parts, engine }, { session_id: id, rev }, contextOf());
    await reached;
    await agents.drain();
    return {
      record: await agents.until(id, 'running'),
      goOn: () => {
        wake();
        return ended;
      },
    };
  }

  it('takes back what it made when that generation is over (F3)', async () => {
    const { record, goOn } = await hungStart();
    await agents.claimSleep(record);
    await agents.drain();
    await agents.until(record.id, 'hibernated');
    await goOn();
    expect(servicesOf(record.id)).toEqual([]);
    expect(agents.fake.swarm.secrets.filter(({ name }) => name.includes(record.id))).toEqual([]);
  });

  it('leaves the terminal alone that has opened since (F3)', async () => {
    const { record, goOn } = await hungStart();
    await goOn();
    expect(servicesOf(record.id).map(({ id }) => id)).toEqual([record.service_id]);
    expect(agents.containerOf(record.id).id).toBe(record.container_id);
  });
});
