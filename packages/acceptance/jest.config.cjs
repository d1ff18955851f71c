/**
 * The end-to-end tests: they need a lab that runs (`./scripts/lab up --workers 2`) and share it, so one file runs at a
 * time. `./scripts/test` brings the lab up, runs them and takes it down again.
 */
module.exports = {
  displayName: 'end to end',
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.e2e.test.ts'],
  transform: { '^.+\\.[tj]sx?$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }] },
  globalSetup: '<rootDir>/test/global-setup.ts',
  globalTeardown: '<rootDir>/test/global-teardown.ts',
  maxWorkers: 1,
  // A wait for a fact has a limit of its own, which names the fact; this one only ends what hangs elsewhere.
  testTimeout: 300_000,
  verbose: true,
};
