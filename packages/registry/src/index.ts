export * from './registry-client';
export * from './registry-settings';
