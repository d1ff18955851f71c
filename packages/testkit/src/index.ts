export * from './fake-registry/fake-registry';
export { RegistryStore, digestOf } from './fake-registry/registry-store';
export * from './fake-engine/layers';
export * from './fake-engine/registry-transfer';
export * from './real-engine';
export * from './real-registry';
export * from './redis';
