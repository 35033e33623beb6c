import { glob, mkdir, writeFile } from 'node:fs/promises';
import { matchesGlob } from 'node:path';
import type { MutantResult } from '@stryker-mutator/api/core';
import { Stryker } from '@stryker-mutator/core';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../databases/server.ts';
import { OTHER_SPECS, PARTS } from './settings.ts';

// this process starts the server, because Stryker kills processes in which a mutant does not end
await mochaGlobalSetup();
process.env['SPEC_DATABASES'] = 'postgresql';
const given = process.argv.slice(2);
const reports = '.stryker-tmp/reports';

try {
  for (const [name, { mutated, specs }] of Object.entries(PARTS)) {
    const files =
      given.includes(name) || given.length === 0 ? mutated : given.filter(file => mutated.some(each => matchesGlob(file, each)));

    if (files.length > 0) {
      await mutants(name, files, await filesOf(specs));
    }
  }
} finally {
  await mochaGlobalTeardown();
}

/** Runs the mutants of these files. The specs of their own part detect most of them, in a tenth of the time of all specs. */
async function mutants(name: string, files: readonly string[], specs: readonly string[]): Promise<void> {
  const first = await run(files, specs);
  const missed = first.filter(isMissed);
  await report(`${name}, by its own specs`, first);

  if (missed.length > 0) {
    const others = (await filesOf(OTHER_SPECS)).filter(file => !specs.includes(file));
    // a mutant that the other specs do not reach has survived its own
    const noticed = (await run(missed.map(rangeOf), others)).filter(mutant => !isMissed(mutant));
    const byIdentity = new Map(noticed.map(mutant => [identityOf(mutant), mutant]));
    await report(
      `${name}, by all specs`,
      first.map(mutant => byIdentity.get(identityOf(mutant)) ?? mutant),
    );
  }
}

async function run(mutate: readonly string[], specs: readonly string[]): Promise<MutantResult[]> {
  process.env['MUTATION_SPECS'] = JSON.stringify(specs);

  return new Stryker({
    mutate,
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
    reporters: ['progress-append-only'],
    allowEmpty: false,
    ignorePatterns: ['docs', '.data', 'bench'],
  } as never).runMutationTest();
}

/** The mutation score of a part by Stryker's rule, and each surviving mutant. The full report is JSON in `.stryker-tmp`. */
async function report(name: string, all: readonly MutantResult[]): Promise<void> {
  const noticed = all.filter(({ status }) => status === 'Killed' || status === 'Timeout').length;
  const missed = all.filter(isMissed);

  for (const mutant of missed) {
    console.log(`${rangeOf(mutant)} ${mutant.status}: ${mutant.mutatorName}, ${mutant.replacement}`);
  }

  console.log(`${name}: ${((noticed / (noticed + missed.length)) * 100).toFixed(1)} % of ${noticed + missed.length} mutants are noticed`);
  await mkdir(reports, { recursive: true });
  await writeFile(`${reports}/${name.replaceAll(/\W+/g, '-')}.json`, JSON.stringify(all, null, 2));
}

function isMissed({ status }: MutantResult): boolean {
  return status === 'Survived' || status === 'NoCoverage';
}

/** The location of a mutant for Stryker. Lines start at 1. Columns start at 0 here, but at 1 in its results. */
function rangeOf({ fileName, location: { start, end } }: MutantResult): string {
  return `${fileName}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`;
}

function identityOf(mutant: MutantResult): string {
  return `${rangeOf(mutant)} ${mutant.mutatorName} ${mutant.replacement}`;
}

async function filesOf(globs: readonly string[]): Promise<string[]> {
  const files = new Set<string>();

  for await (const file of glob([...globs])) {
    files.add(file);
  }

  return [...files];
}
