/** No build before the tests: every package exports its TypeScript source, swc strips the types. */
const base = {
  testEnvironment: 'node',
  transform: { '^.+\\.[tj]sx?$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript', tsx: true } } }] },
  modulePathIgnorePatterns: ['/dist/'],
};

module.exports = {
  // Unit and integration tests: no lab is needed. The end-to-end ones have their own configuration (packages/acceptance).
  projects: [
    {
      ...base,
      displayName: 'unit',
      roots: ['<rootDir>/packages', '<rootDir>/services'],
      testMatch: ['**/src/**/*.test.ts', '**/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '/packages/acceptance/', '/dist/'],
    },
  ],
  // Ends what hangs. No test says how fast anything is by it: the machine may be five times slower.
  testTimeout: 120_000,
};
