import { isOwnRegistry, placeOfBaseImage } from '../src';

const REGISTRY_URL = 'registry:5000';
const digest = `sha256:${'a'.repeat(64)}`;

describe('the base image', () => {
  it.each([
    ['registry:5000/vibe-terminal', { repository: 'vibe-terminal', reference: 'latest' }],
    ['registry:5000/vibe-terminal:1.2', { repository: 'vibe-terminal', reference: '1.2' }],
    [`registry:5000/ours/vibe-terminal:1.2@${digest}`, { repository: 'ours/vibe-terminal', reference: digest }],
    [`registry:5000/vibe-terminal@${digest}`, { repository: 'vibe-terminal', reference: digest }],
    ['registry.example/vibe-terminal:1', null],
    ['registry:50001/vibe-terminal:1', null],
    ['vibe-terminal', null],
  ])('%s lies there', (BASE_IMAGE, place) => expect(placeOfBaseImage({ BASE_IMAGE, REGISTRY_URL })).toEqual(place));

  it('is the witness of our registry where it lies in it, and none where it is kept elsewhere', async () => {
    const asked: string[] = [];
    const empty = { has: (repository: string, reference: string) => Promise.resolve((asked.push(`${repository} ${reference}`), false)) };
    expect(await isOwnRegistry(empty, { BASE_IMAGE: 'registry:5000/vibe-terminal:1', REGISTRY_URL })).toBe(false);
    expect(await isOwnRegistry(empty, { BASE_IMAGE: 'registry.example/vibe-terminal:1', REGISTRY_URL })).toBe(true);
    expect(asked).toEqual(['vibe-terminal 1']);
  });
});
