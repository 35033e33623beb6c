import Mocha from 'mocha';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Asked, Failure } from './spec-file.ts';

/**
 * A process that runs one file of specs, as often as it is asked, each time with other mutants. Those that change what a module does as it is loaded
 * are given in `MUTATION_AT_LOAD`.
 */
const [file = ''] = process.argv.slice(2);
// mutated code reads which mutants are active, and notes which ones it reaches
const mutation: Mutation = {
  activeMutants: new Set(JSON.parse(process.env['MUTATION_AT_LOAD'] ?? '[]') as string[]),
  mutantCoverage: { static: {}, perTest: {} },
};
(globalThis as { __stryker__?: Mutation }).__stryker__ = mutation;
const mocha = new Mocha({ timeout: 20_000, reporter: class {} as never });
mocha.addFile('spec/support/mutation/warm-up.ts');
mocha.addFile(file);
mocha.cleanReferencesAfterRun(false);
await mocha.loadFilesAsync();
mutation.currentTestId = 'start';
await (globalThis as { warmUp?: () => Promise<void> }).warmUp?.();

// what specs start has the mutants that are active then
const reachedFile = join(import.meta.dirname, `reached-${process.pid}`);
process.env['MUTATION_REACHED'] = reachedFile;
process.env['NODE_OPTIONS'] = [process.env['NODE_OPTIONS'], `--import=${import.meta.resolve('./started-process.mjs')}`].join(' ').trim();

process.on('message', (asked: Asked) => {
  void run(asked).then(failure => {
    const { static: atLoad, perTest } = mutation.mutantCoverage;
    const elsewhere = existsSync(reachedFile) ? readFileSync(reachedFile, 'utf8').trim().split('\n') : [];
    const reached = [...new Set([...Object.keys(perTest['specs'] ?? {}), ...elsewhere])];
    const answer: Answer = { failure, atLoad: Object.keys(atLoad), reached };
    process.send?.(answer);
  });
});
// this process has no purpose without the one that asks
process.on('disconnect', () => process.exit());
process.send?.('ready');

/** The first failure, if there is one. */
async function run({ active, only = '', from = '' }: Asked): Promise<Failure | undefined> {
  mutation.activeMutants = new Set(active);
  process.env['MUTATION_ACTIVE'] = JSON.stringify(active);
  mutation.currentTestId = 'specs';
  mocha.grep(from === '' ? new RegExp(only) : titlesFrom(new RegExp(from)));
  setBail(mocha.suite);
  let failure: Failure | undefined;

  await new Promise<void>(resolve => {
    mocha
      .run(() => resolve())
      .on('fail', (test, error: Error) => {
        failure ??= { only: patternOf(test), message: String(error?.message ?? error) };
      });
  });

  mutation.currentTestId = 'start';

  return failure;
}

/** What fails again alone: the spec, or all specs of the `describe` if its hook has failed. */
function patternOf(test: Mocha.Runnable): string {
  const failed = test.ctx?.currentTest ?? test;

  return failed instanceof Mocha.Hook ? `^${escaped(failed.parent?.fullTitle() ?? '')}` : `^${escaped(failed.fullTitle())}$`;
}

/** What fits the first spec that fits, and those after it. */
function titlesFrom(first: RegExp): RegExp {
  const titles: string[] = [];
  mocha.suite.eachTest(test => void titles.push(test.fullTitle()));
  const left = titles.slice(titles.findIndex(title => first.test(title)));

  return new RegExp(`^(?:${left.map(escaped).join('|')})$`);
}

function setBail(suite: Mocha.Suite): void {
  suite.bail(true);
  suite.suites.forEach(setBail);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

interface Mutation {
  activeMutants: ReadonlySet<string>;
  readonly mutantCoverage: { readonly static: Record<string, number>; readonly perTest: Record<string, Record<string, number>> };
  currentTestId?: string;
}
