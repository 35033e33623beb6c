import { Stryker } from '@stryker-mutator/core';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../server.ts';
import { MUTATED } from './settings.ts';

// the server is this process's, as Stryker kills the processes in which a mutant does not end
await mochaGlobalSetup();
process.env['SPEC_DATABASES'] = 'postgresql';
const files = process.argv.slice(2);

try {
  await new Stryker({
    mutate: files.length > 0 ? files : MUTATED,
    buildCommand: 'tsc -p lib --noCheck',
    // Stryker reads it through an interface that TypeScript 7 does not have
    tsconfigFile: 'none',
    plugins: ['./spec/support/mutation/mocha-runner.ts'],
    testRunner: 'specs',
    testRunnerNodeArgs: ['--import', 'tsx'],
    coverageAnalysis: 'perTest',
    concurrency: 2,
    timeoutMS: 20_000,
    dryRunTimeoutMinutes: 10,
    reporters: ['clear-text', 'progress-append-only', 'json'],
    jsonReporter: { fileName: '.stryker-tmp/report.json' },
    clearTextReporter: { reportTests: false, allowColor: false },
    allowEmpty: false,
    ignorePatterns: ['docs', '.data', 'bench'],
  } as never).runMutationTest();
} finally {
  await mochaGlobalTeardown();
}
