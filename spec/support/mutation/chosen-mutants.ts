import { readFile } from 'node:fs/promises';
import { CheckStatus, type Checker, type CheckResult } from '@stryker-mutator/api/check';
import type { Mutant } from '@stryker-mutator/api/core';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { identityOf } from './sample.ts';

/**
 * Lets StrykerJS run the mutants that were chosen, and no others. By itself it takes files and ranges, and a range has all the mutants within it.
 * It knows no word for "not chosen": the others are in its results as if they did not compile, which do not count.
 */
class ChosenMutants implements Checker {
  #chosen: ReadonlySet<string> = new Set();

  async init(): Promise<void> {
    this.#chosen = new Set(JSON.parse(await readFile(process.env['MUTATION_CHOSEN'] as string, 'utf8')) as string[]);
  }

  async check(mutants: Mutant[]): Promise<Record<string, CheckResult>> {
    return Object.fromEntries(mutants.map(mutant => [mutant.id, this.#resultOf(mutant)]));
  }

  async group(mutants: Mutant[]): Promise<string[][]> {
    return [mutants.map(({ id }) => id)];
  }

  #resultOf(mutant: Mutant): CheckResult {
    return this.#chosen.has(identityOf(mutant))
      ? { status: CheckStatus.Passed }
      : { status: CheckStatus.CompileError, reason: 'It was not chosen.' };
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, 'chosen', ChosenMutants)];
