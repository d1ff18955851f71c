import { newCollectionRun, newSessionId } from './ids';
import { jobToAdd, nodeJobs, reaperJobs, swarmJobs } from './jobs';

const session_id = newSessionId();
const digest = `sha256:${'a'.repeat(64)}`;

describe('the catalog of jobs', () => {
  it('gives ids that BullMQ accepts: no colon, not all digits', () => {
    const ids = [
      jobToAdd(swarmJobs.start, { session_id, rev: 1 }),
      jobToAdd(swarmJobs.retire, { session_id, rev: 2, gen: 1, service_id: 'x' }),
      jobToAdd(swarmJobs.erase, { session_id, rev: 1 }),
      jobToAdd(swarmJobs.collect, { run: newCollectionRun() }),
      jobToAdd(nodeJobs.hibernate, { session_id, rev: 1 }),
      jobToAdd(nodeJobs.dropImage, { session_id, digest, rev: 4 }),
      jobToAdd(nodeJobs.dropImage, { session_id, digest: null, rev: 4 }),
      jobToAdd(nodeJobs.dropImage, { session_id, digest: null, image_id: digest, rev: 4 }),
      jobToAdd(nodeJobs.dropContainer, { session_id, container_id: 'ab'.repeat(32) }),
      jobToAdd(nodeJobs.prepull, { image: 'registry:5000/vibe-terminal@sha256:abc' }),
      ...Object.values(reaperJobs).map((job) => jobToAdd(job, {})),
    ].map((job) => job.opts.jobId);
    for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9_.-]*[a-zA-Z][a-zA-Z0-9_.-]*$/);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('removes ended jobs at once, so that the same id can be added again', () => {
    expect(jobToAdd(swarmJobs.start, { session_id, rev: 1 }).opts).toMatchObject({ jobId: `start-${session_id}-r1`, removeOnComplete: true, removeOnFail: true });
  });

  it('refuses a payload with a crafted id', () => {
    expect(() => jobToAdd(swarmJobs.erase, { session_id: '../../etc', rev: 1 })).toThrow();
    expect(() => swarmJobs.start.payload.parse({ session_id, rev: 1, image: 'evil' })).toThrow();
  });

  it("parses this release's payloads, kept here for the next one", () => {
    const id = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';
    swarmJobs.start.payload.parse({ session_id: id, rev: 3 });
    swarmJobs.retire.payload.parse({ session_id: id, rev: 3, gen: 2, service_id: null });
    swarmJobs.collect.payload.parse({ run: 'abcdefg2' });
    nodeJobs.hibernate.payload.parse({ session_id: id, rev: 3 });
    nodeJobs.dropImage.payload.parse({ session_id: id, digest: null, rev: 3 });
    nodeJobs.dropContainer.payload.parse({ session_id: id, container_id: 'ab'.repeat(32) });
  });
});
