export * from './audit';
export * from './epoch';
export * from './job-queues';
export { keys } from './keys';
export * from './node-reports';
export * from './registry-collection';
export * from './session-events';
export * from './session-store';
export * from './snapshot-care';
