export * from './base-image';
export * from './registry-client';
export * from './registry-settings';
export * from './takes-pushes';
export * from './unreadable';
