import { appendFileSync } from 'node:fs';

// a process that specs start has their mutants, and tells which ones it has reached
const { MUTATION_ACTIVE, MUTATION_REACHED } = process.env;
const mutantCoverage = { static: {}, perTest: {} };
globalThis.__stryker__ = { activeMutants: new Set(JSON.parse(MUTATION_ACTIVE)), mutantCoverage };
process.on('exit', () =>
  appendFileSync(
    MUTATION_REACHED,
    Object.keys(mutantCoverage.static)
      .map(id => `${id}\n`)
      .join(''),
  ),
);
