import { secretNameOf } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { dropContainer, retireGeneration } from '../src/end-session';
import { Agents } from './agents';

jest.setTimeout(120_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const servicesOf = (id: string) => agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id));
const secretsOf = (id: string) => agents.fake.swarm.secrets.map(({ name }) => name).filter((name) => name.includes(id));

describe('retiring', () => {
  it('retires nothing that its record says is in use: a rebuild may have adopted it since', async () => {
    const { record } = await agents.running();
    await retireGeneration(agents.agent('manager').parts, { session_id: record.id, rev: 1, gen: 1, service_id: record.service_id! });
    expect(servicesOf(record.id)).toHaveLength(1);
  });

  it('retires and drops nothing while the records are put together: what has none now may be adopted in a moment (F20)', async () => {
    const { record, container } = await agents.running();
    const { parts } = agents.agentOn(record.node_id);
    const lost = [keys.epoch, keys.session(record.id)];
    for (const key of lost) await agents.redis.rename(key, `kept:${key}`);
    try {
      await expect(retireGeneration(parts, { session_id: record.id, rev: 9, gen: 1, service_id: record.service_id! })).rejects.toMatchObject({ code: 'rebuilding' });
      await expect(dropContainer(parts, { session_id: record.id, container_id: container.id })).rejects.toMatchObject({ code: 'rebuilding' });
      expect(servicesOf(record.id)).toHaveLength(1);
      expect(container.isAlive).toBe(true);
    } finally {
      for (const key of lost) await agents.redis.rename(`kept:${key}`, key);
    }
  });

  it('of a later generation takes only that: a rebuild may have gone back to a lower one, which is in use (F20, I1)', async () => {
    const { record, container } = await agents.running();
    const { parts } = agents.agent('manager');
    const labels = { session_id: record.id, user_id: record.user_id, gen: 3, name: record.name, created_at: record.created_at };
    await parts.engine.ensureSecret({ name: secretNameOf(record.id, 3), data: 'x', labels });
    await retireGeneration(parts, { session_id: record.id, rev: record.rev, gen: 3, service_id: null });
    expect(servicesOf(record.id).map(({ id }) => id)).toEqual([record.service_id]);
    expect(secretsOf(record.id)).toEqual([secretNameOf(record.id, record.gen)]);
    expect(container.isAlive).toBe(true);
  });

  it('leaves a service alone that came to be in use between its first look and its last (I1)', async () => {
    const { record, container } = await agents.running();
    const { parts } = agents.agent('manager');
    let looks = 0;
    const store = Object.assign(Object.create(parts.store) as typeof parts.store, {
      get: async (id: string) => ((looks += 1) === 1 ? { ...record, state: 'hibernated', gen: 3 } : parts.store.get(id)),
    });
    await retireGeneration({ ...parts, store }, { session_id: record.id, rev: record.rev, gen: 3, service_id: null });
    expect(servicesOf(record.id)).toHaveLength(1);
    expect(container.isAlive).toBe(true);
  });
});
