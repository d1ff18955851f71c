import { LAB_NODE_IMAGE, REAL_REGISTRY_IMAGE, describeWithEngine } from '@vibe/testkit';
import { containersContract } from './containers-contract';
import type { EngineUnderTest } from './engine-under-test';
import { imagesContract } from './images-contract';
import { UPSTREAM_BASE, startOnANode, startOnThisMachine } from './real-engine';
import { registryServiceContract } from './registry-service-contract';
import { servicesContract } from './services-contract';

const START_LIMIT_MS = 180_000;

// Two cores start and stop some dozens of containers here, beside whatever else runs.
jest.setTimeout(300_000);

describeWithEngine("this machine's Engine", [UPSTREAM_BASE, REAL_REGISTRY_IMAGE], () => {
  let real: EngineUnderTest;
  beforeAll(async () => void (real = await startOnThisMachine()), START_LIMIT_MS);
  afterAll(() => real?.stop(), START_LIMIT_MS);

  describe('containers', () => containersContract(() => real));
  describe('images', () => imagesContract(() => real));
});

describeWithEngine("a manager's Engine", [UPSTREAM_BASE, REAL_REGISTRY_IMAGE, LAB_NODE_IMAGE], () => {
  let real: EngineUnderTest;
  beforeAll(async () => void (real = await startOnANode()), START_LIMIT_MS);
  afterAll(() => real?.stop(), START_LIMIT_MS);

  describe('containers', () => containersContract(() => real));
  describe('images', () => imagesContract(() => real));
  describe('services', () => servicesContract(() => real));
  describe('the registry service', () => registryServiceContract(() => real));
});
