import fc from 'fast-check';

/**
 * How the generated specs of this run are to be replayed, from the environment: `FC_SEED` alone runs everything again with that seed;
 * with `FC_PATH` and `FC_COMMANDS`, which a failure prints, the one case that failed runs.
 */
export const REPLAY: { readonly seed?: number; readonly path?: string; readonly commands?: string } = {
  ...(process.env['FC_SEED'] === undefined ? {} : { seed: Number(process.env['FC_SEED']) }),
  ...(process.env['FC_PATH'] === undefined ? {} : { path: process.env['FC_PATH'] }),
  ...(process.env['FC_COMMANDS'] === undefined ? {} : { commands: process.env['FC_COMMANDS'] }),
};

/** Lists of commands, of which a failing one is cut down to those that matter. */
export function commandLists<Model extends object, Real>(
  commands: readonly fc.Arbitrary<fc.AsyncCommand<Model, Real>>[],
  maxCommands: number,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Real>>> {
  const replayPath = REPLAY.commands === undefined ? {} : { replayPath: REPLAY.commands };

  return fc.commands([...commands], { maxCommands, size: 'max', ...replayPath });
}

/**
 * Holds the property for cases of a seed that is printed, and tells how to run the case again where it fails. Each round has other cases,
 * also where the seed of the first is given.
 */
async function checkProperty<Cases>(title: string, property: fc.IAsyncProperty<Cases>, runs: number, round = 0): Promise<void> {
  const seed = (REPLAY.seed ?? Date.now() % 0x7fffffff) + round;
  console.log(`      seed of ${title}: ${seed}`);
  const details = await fc.check(property, { seed, numRuns: runs, ...(REPLAY.path === undefined ? {} : { path: REPLAY.path }) });

  if (details.failed) {
    throw new Error(`${describeFailure(details)}\nReplay: ${replayOf(details)} npx mocha -g ${JSON.stringify(title)} SPEC_FILE`, {
      cause: details.errorInstance,
    });
  }
}

/** Holds the property of lists of commands, which `count` counts, until there were so many: a list is of any length. */
export async function checkOperations<Cases>(title: string, property: fc.IAsyncProperty<Cases>, amount: OperationAmount): Promise<void> {
  const { operations, maxCommands, count } = amount;

  for (let round = 0; round === 0 || (REPLAY.path === undefined && count.operations < operations); round += 1) {
    await checkProperty(title, property, Math.ceil(((operations - count.operations) / maxCommands) * 3), round);
  }
}

/** The smallest case found, in words. */
export function describeFailure<Cases>({
  seed,
  counterexample,
  counterexamplePath,
  numShrinks,
  errorInstance,
}: fc.RunDetails<Cases>): string {
  const steps = fc.stringify(counterexample).replace(/ ?\/\*replayPath=.*?\*\//, '');

  return `seed ${seed}, path ${counterexamplePath}, ${numShrinks} times shrunk, fails with ${String(errorInstance)} at:\n${steps}`;
}

function replayOf<Cases>({ seed, counterexample, counterexamplePath }: fc.RunDetails<Cases>): string {
  const [, commands] = /\/\*replayPath="(.*?)"\*\//.exec(fc.stringify(counterexample)) ?? [];

  return `FC_SEED=${seed} FC_PATH=${counterexamplePath}${commands === undefined ? '' : ` FC_COMMANDS=${JSON.stringify(commands)}`}`;
}

interface OperationAmount {
  readonly operations: number;
  /** The longest list. */
  readonly maxCommands: number;
  readonly count: { readonly operations: number };
}
