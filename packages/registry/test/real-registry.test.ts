import { join } from 'node:path';
import { REAL_REGISTRY_IMAGE, type RealRegistry, describeWithEngine, startRealRegistry } from '@vibe/testkit';
import { RegistryClient } from '../src';
import { registryContract } from './registry-contract';

describeWithEngine('the registry as production runs it', [REAL_REGISTRY_IMAGE], () => {
  let registry: RealRegistry;

  registryContract(async () => {
    registry = await startRealRegistry({ configFile: join(__dirname, '../../../stacks/registry/config.yml') });
    return { access: registry, host: registry.host, stop: () => registry.stop() };
  });

  it('is not trusted without the certificate of our own authority', async () => {
    const client = new RegistryClient({ url: registry.url, login: registry.login });
    await expect(client.ping()).rejects.toMatchObject({ code: 'registry_unreachable' });
    await client.close();
  });
});
