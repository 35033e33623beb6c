import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM } from '@mikro-orm/core';
import Mocha from 'mocha';
import '../assertions/statement-watch.ts';
import { startConfig } from '../seams/start-again.ts';
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
mocha.addFile(file);
mocha.cleanReferencesAfterRun(false);
await mocha.loadFilesAsync();
mutation.currentTestId = 'start';

// the first ORMs of a process look at all guards: else every file would be taken to be about those
for (const driver of [PostgreSqlDriver, PgliteDriver]) {
  const orm = await MikroORM.init(startConfig({ driver }));
  await orm.close();
}

process.on('message', (asked: Asked) => {
  void run(asked).then(failure => {
    const { static: atLoad, perTest } = mutation.mutantCoverage;
    const answer: Answer = { failure, atLoad: Object.keys(atLoad), reached: Object.keys(perTest['specs'] ?? {}) };
    process.send?.(answer);
  });
});
// this process has no purpose without the one that asks
process.on('disconnect', () => process.exit());
process.send?.('ready');

/** The first failure, if there is one. */
async function run({ active, only }: Asked): Promise<Failure | undefined> {
  mutation.activeMutants = new Set(active);
  mutation.currentTestId = 'specs';
  mocha.grep(new RegExp(only));
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
