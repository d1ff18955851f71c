export * from './base-image';
export * from './registry-client';
export * from './registry-settings';
