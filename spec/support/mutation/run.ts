import { randomInt } from 'node:crypto';
import { glob, mkdir, readFile, writeFile } from 'node:fs/promises';
import { matchesGlob, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { MutantResult } from '@stryker-mutator/api/core';
import { Stryker } from '@stryker-mutator/core';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../databases/server.ts';
import { identityOf, sampleOf, wilsonInterval, type Sampling } from './sample.ts';
import { OTHER_SPECS, PARTS } from './settings.ts';

const { positionals: given, values } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string' }, seed: { type: 'string' }, missed: { type: 'boolean' } },
});
const sampling =
  values.sample === undefined ? undefined : { count: whole(values.sample), seed: whole(values.seed ?? String(randomInt(1e6))) };
const reports = resolve('.stryker-tmp/reports');

if (sampling !== undefined) {
  console.log(`The same mutants are taken by --sample ${sampling.count} --seed ${sampling.seed}`);
}

// this process starts the server, because Stryker kills processes in which a mutant does not end
await mochaGlobalSetup();
process.env['SPEC_DATABASES'] = 'postgresql';

try {
  for (const [name, { mutated, specs }] of Object.entries(PARTS)) {
    const globs =
      given.includes(name) || given.length === 0 ? mutated : given.filter(file => mutated.some(each => matchesGlob(file, each)));

    if (globs.length > 0) {
      await mutants(name, await filesOf(globs), await filesOf(specs));
    }
  }
} finally {
  await mochaGlobalTeardown();
}

/** Runs the mutants of these files. The specs of their own part detect most of them, in a tenth of the time of all specs. */
async function mutants(name: string, files: readonly string[], specs: readonly string[]): Promise<void> {
  const chosen = values.missed === true ? await missedLast(name) : sampling && (await sampleOfFiles(files, sampling));
  const first = await run(files, { specs, chosen });
  const missed = [...first].filter(([, mutant]) => isMissed(mutant));
  await report(name, first, 'by its own specs');

  if (missed.length > 0) {
    const others = (await filesOf(OTHER_SPECS)).filter(file => !specs.includes(file));
    const again = await run([...new Set(missed.map(([, { fileName }]) => fileName))], {
      specs: others,
      chosen: missed.map(([identity]) => identity),
    });
    // a mutant that the other specs do not reach has survived its own
    const noticed = [...again].filter(([, mutant]) => !isMissed(mutant));
    await report(name, new Map([...first, ...noticed]), 'by all specs');
  }
}

/** The chosen mutants of these files, or all of them, by their identities. */
async function run(mutate: readonly string[], { specs, chosen }: Run): Promise<Results> {
  process.env['MUTATION_SPECS'] = JSON.stringify(specs);

  if (chosen !== undefined) {
    process.env['MUTATION_CHOSEN'] = await write(`chosen-${process.pid}`, chosen);
  }

  const results = await new Stryker({
    mutate,
    buildCommand: 'tsc -p lib --noCheck',
    // Stryker reads it through an interface that TypeScript 7 does not have
    tsconfigFile: 'none',
    plugins: ['./spec/support/mutation/mocha-runner.ts', './spec/support/mutation/chosen-mutants.ts'],
    checkers: chosen === undefined ? [] : ['chosen'],
    checkerNodeArgs: ['--import', 'tsx'],
    testRunner: 'specs',
    testRunnerNodeArgs: ['--import', 'tsx'],
    coverageAnalysis: 'perTest',
    concurrency: 2,
    timeoutMS: 20_000,
    dryRunTimeoutMinutes: 30,
    reporters: ['progress-append-only'],
    allowEmpty: false,
    ignorePatterns: ['.data', 'bench'],
  } as never).runMutationTest();
  const byIdentity = new Map(results.map(mutant => [identityOf(asPlanned(mutant)), mutant]));

  return chosen === undefined ? byIdentity : new Map(chosen.map(identity => [identity, byIdentity.get(identity) as MutantResult]));
}

async function sampleOfFiles(files: readonly string[], { count, seed }: Sampling): Promise<readonly string[]> {
  const contents = await Promise.all(files.map(async name => ({ name, mutate: true, content: await readFile(name, 'utf8') })));
  const silent = { info() {}, debug() {}, isDebugEnabled: () => false };
  const { mutants: all } = await new Instrumenter(silent as never).instrument(contents, {
    plugins: null,
    excludedMutations: [],
    ignorers: [],
  });
  console.log(`There are ${all.length} mutants, of which ${Math.min(count, all.length)} are taken`);

  return sampleOf(all.map(identityOf), { count, seed });
}

async function missedLast(name: string): Promise<readonly string[]> {
  return JSON.parse(await readFile(`${reports}/${name}-missed.json`, 'utf8')) as string[];
}

/** The mutation score of a part by Stryker's rule, and each surviving mutant. The full report is JSON in `.stryker-tmp`. */
async function report(name: string, all: Results, by: string): Promise<void> {
  const noticed = [...all.values()].filter(({ status }) => status === 'Killed' || status === 'Timeout').length;
  const missed = [...all].filter(([, mutant]) => isMissed(mutant));
  const count = noticed + missed.length;
  const { from, to } = wilsonInterval(noticed, count);
  const interval = sampling === undefined ? '' : `, which is ${percent(from)} to ${percent(to)} of all with 95 % certainty`;

  for (const [identity, { status }] of missed) {
    console.log(`${status}: ${identity}`);
  }

  console.log(`${name}, ${by}: ${percent(noticed / count)} of ${count} mutants are noticed${interval}`);
  await write(name, [...all.values()]);
  await write(
    `${name}-missed`,
    missed.map(([identity]) => identity),
  );
}

async function write(name: string, content: unknown): Promise<string> {
  const file = `${reports}/${name}.json`;
  await mkdir(reports, { recursive: true });
  await writeFile(file, JSON.stringify(content, null, 2));

  return file;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function isMissed({ status }: MutantResult): boolean {
  return status === 'Survived' || status === 'NoCoverage';
}

/** A mutant's location begins with 1 in the results alone. */
function asPlanned(mutant: MutantResult): MutantResult {
  const { start, end } = mutant.location;
  const moved = ({ line, column }: typeof start): typeof start => ({ line: line - 1, column: column - 1 });

  return { ...mutant, location: { start: moved(start), end: moved(end) } };
}

async function filesOf(globs: readonly string[]): Promise<string[]> {
  const files = new Set<string>();

  for await (const file of glob([...globs])) {
    files.add(file);
  }

  return [...files].toSorted();
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new Error(`"${text}" is no whole number`);
  }

  return Number(text);
}

interface Run {
  readonly specs: readonly string[];
  readonly chosen: readonly string[] | undefined;
}

type Results = ReadonlyMap<string, MutantResult>;
