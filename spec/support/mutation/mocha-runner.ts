import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
  type DryRunResult,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
  type TestRunnerCapabilities,
} from '@stryker-mutator/api/test-runner';
import Mocha from 'mocha';

/**
 * Runs the specs for StrykerJS, whose own runner does not support this version of Mocha. Code that the hooks of a `describe` reach is attributed
 * to its first specs. Most ORMs are opened in `before`, so Stryker would otherwise run every spec for that code.
 */
class SpecRunner implements TestRunner {
  readonly #mocha = new Mocha({ timeout: 30_000, reporter: class {} as never });
  #isLoaded = false;

  capabilities(): TestRunnerCapabilities {
    return { reloadEnvironment: false };
  }

  async init(): Promise<void> {
    this.#mocha.addFile('spec/support/mutation/first-start.ts');

    for (const file of JSON.parse(process.env['MUTATION_SPECS'] as string) as string[]) {
      this.#mocha.addFile(file);
    }

    this.#mocha.cleanReferencesAfterRun(false);
  }

  async dryRun(): Promise<DryRunResult> {
    const result = await this.#run(undefined, { bail: false });

    return result.status === DryRunStatus.Complete
      ? { ...result, mutantCoverage: coverage().mutantCoverage ?? { perTest: {}, static: {} } }
      : result;
  }

  async mutantRun({ activeMutant, testFilter, mutantActivation }: MutantRunOptions): Promise<MutantRunResult> {
    coverage().activeMutant = mutantActivation === 'static' ? activeMutant.id : undefined;
    await this.#load();
    coverage().activeMutant = activeMutant.id;

    return toMutantRunResult(await this.#run(testFilter, { bail: true }));
  }

  async #load(): Promise<void> {
    if (!this.#isLoaded) {
      await this.#mocha.loadFilesAsync();
      this.#isLoaded = true;
    }
  }

  async #run(ids: readonly string[] | undefined, { bail }: { readonly bail: boolean }): Promise<DryRunResult> {
    await this.#load();
    const tests = new Map<string, TestResult>();
    const firsts = firstTests(this.#mocha.suite);
    const titles = ids?.flatMap(id => firsts.get(id) ?? [id]);
    this.#mocha.grep(titles === undefined ? /./ : new RegExp(titles.map(title => `^${escaped(title)}$`).join('|')));
    setBail(this.#mocha.suite, bail);

    await new Promise<void>(resolve => {
      const runner = this.#mocha.run(() => resolve());
      let started = performance.now();
      const add = (id: string, fileName: string | undefined, failureMessage?: string): void => {
        const base = { id, name: id, timeSpentMs: performance.now() - started, ...(fileName === undefined ? {} : { fileName }) };
        tests.set(
          id,
          failureMessage === undefined ? { ...base, status: TestStatus.Success } : { ...base, status: TestStatus.Failed, failureMessage },
        );
        started = performance.now();
      };
      const inHooks = (suite: Mocha.Suite | undefined): void => {
        coverage().currentTestId = suite === undefined || suite.root ? undefined : hooksOf(suite);
      };

      runner.on('suite', suite => {
        inHooks(suite);

        if (!suite.root) {
          add(hooksOf(suite), suite.file);
        }
      });
      runner.on('test', test => (coverage().currentTestId = test.fullTitle()));
      runner.on('test end', test => inHooks(test.parent));
      runner.on('suite end', suite => inHooks(suite.parent));
      runner.on('pass', test => add(test.fullTitle(), test.file));
      runner.on('fail', (test, error: Error) =>
        add(test.ctx?.currentTest?.fullTitle() ?? test.fullTitle(), test.file, String(error?.message ?? error)),
      );
    });

    return { status: DryRunStatus.Complete, tests: [...tests.values()] };
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'specs', SpecRunner)];

/** The specs that represent the hooks of each `describe`. */
function firstTests(suite: Mocha.Suite, found = new Map<string, string[]>()): Map<string, string[]> {
  const all: string[] = [];
  suite.eachTest(test => void all.push(test.fullTitle()));

  if (!suite.root) {
    found.set(hooksOf(suite), all.slice(0, FIRST));
  }

  suite.suites.forEach(child => firstTests(child, found));

  return found;
}

function hooksOf(suite: Mocha.Suite): string {
  return `hooks of ${suite.fullTitle()}`;
}

function setBail(suite: Mocha.Suite, bail: boolean): void {
  suite.bail(bail);
  suite.suites.forEach(child => setBail(child, bail));
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** Mutated code records its coverage here, and reads the active mutant. */
function coverage(): Coverage {
  const global = globalThis as { __stryker__?: Coverage };

  return (global.__stryker__ ??= {});
}

const FIRST = 3;

interface Coverage {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  mutantCoverage?: { perTest: Record<string, Record<string, number>>; static: Record<string, number> };
}
