import { startFakeRegistry } from '@vibe/testkit';
import { registryContract } from './registry-contract';

describe('the fake registry', () => {
  registryContract(async () => {
    const login = { username: 'vibe', password: 'test-password' };
    const registry = await startFakeRegistry({ login });
    return { access: { url: registry.url, login }, host: registry.host, stop: () => registry.stop() };
  });
});
