export * from './auth-settings';
export * from './cookies';
export * from './doorkeeper';
export * from './identity';
export * from './public-host';
export * from './terminal-credential';
export * from './tokens';
