export * from './api';
export * from './ids';
export * from './jobs';
export * from './labels';
export * from './node-report';
export * from './session-events';
export * from './session-record';
export * from './session-states';
