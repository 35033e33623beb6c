import { randomInt } from 'node:crypto';
import { glob, mkdir, readFile, writeFile } from 'node:fs/promises';
import { matchesGlob, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Mutant } from '@stryker-mutator/api/core';
import { mochaGlobalSetup, mochaGlobalTeardown } from '../databases/server.ts';
import { missedBy } from './noticed.ts';
import { identityOf, sampleOf, wilsonInterval } from './sample.ts';
import { openSandbox } from './sandbox.ts';
import { OTHER_SPECS, PARTS } from './settings.ts';

const { positionals: given, values } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string' }, seed: { type: 'string' }, missed: { type: 'boolean' } },
});
const sampling =
  values.sample === undefined ? undefined : { count: whole(values.sample), seed: whole(values.seed ?? String(randomInt(1e6))) };
const reports = resolve('.stryker-tmp/reports');
const FIRST_START = 'spec/support/mutation/first-start.ts';

if (sampling !== undefined) {
  console.log(`The same mutants are taken by --sample ${sampling.count} --seed ${sampling.seed}`);
}

// this process starts the server, because processes in which a mutant does not end are killed
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
  const { folder, mutants: all, remove } = await openSandbox(files);
  const noticedBy = new Map<string, string>();
  const onNoticed = (mutant: Mutant, file: string): void => void noticedBy.set(identityOf(mutant), file);

  try {
    const taken = await chosenOf(name, all);
    const started = await missedBy([FIRST_START], taken, { folder, onNoticed });
    const byOwn = await missedBy(specs, started, { folder, onNoticed });
    await report(name, { taken, missed: byOwn, noticedBy, by: 'by its own specs' });

    if (byOwn.length > 0) {
      const others = (await filesOf(OTHER_SPECS)).filter(file => !specs.includes(file));
      await report(name, { taken, missed: await missedBy(others, byOwn, { folder, onNoticed }), noticedBy, by: 'by all specs' });
    }
  } finally {
    await remove();
  }
}

/** The mutants that are asked for. */
async function chosenOf(name: string, all: readonly Mutant[]): Promise<readonly Mutant[]> {
  const identities = values.missed === true ? await missedLast(name) : sampling && sampleOf(all.map(identityOf), sampling);

  if (identities === undefined) {
    return all;
  }

  console.log(`There are ${all.length} mutants, of which ${identities.length} are taken`);
  const byIdentity = new Map(all.map(mutant => [identityOf(mutant), mutant]));

  return identities.map(identity => byIdentity.get(identity)).filter(mutant => mutant !== undefined);
}

async function missedLast(name: string): Promise<readonly string[]> {
  return JSON.parse(await readFile(`${reports}/${name}-missed.json`, 'utf8')) as string[];
}

/** The mutation score of a part, and each surviving mutant. `.stryker-tmp/reports` has them too, and which file of specs noticed each of the others. */
async function report(name: string, { taken, missed, noticedBy, by }: Score): Promise<void> {
  const count = taken.length;
  const noticed = count - missed.length;
  const { from, to } = wilsonInterval(noticed, count);
  const interval = sampling === undefined ? '' : `, which is ${percent(from)} to ${percent(to)} of all with 95 % certainty`;
  const identities = missed.map(identityOf).toSorted();
  identities.forEach(identity => console.log(`Missed: ${identity}`));
  console.log(`${name}, ${by}: ${percent(noticed / count)} of ${count} mutants are noticed${interval}`);
  await mkdir(reports, { recursive: true });
  await writeFile(`${reports}/${name}-missed.json`, JSON.stringify(identities, null, 2));
  await writeFile(`${reports}/${name}-noticed.json`, JSON.stringify(Object.fromEntries(noticedBy), null, 2));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** In the order of the globs, as those of a part begin with what fits most. */
async function filesOf(globs: readonly string[]): Promise<string[]> {
  const files = new Set<string>();

  for (const each of globs) {
    const found: string[] = [];

    for await (const file of glob(each)) {
      found.push(file);
    }

    found.toSorted().forEach(file => files.add(file));
  }

  return [...files];
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new Error(`"${text}" is no whole number`);
  }

  return Number(text);
}

interface Score {
  readonly taken: readonly Mutant[];
  readonly missed: readonly Mutant[];
  readonly noticedBy: ReadonlyMap<string, string>;
  readonly by: string;
}
