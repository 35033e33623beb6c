import fc from 'fast-check';

/**
 * The replay settings from the environment. `FC_SEED` repeats all generated specs with that seed. With `FC_PATH` and `FC_COMMANDS`, which a
 * failure prints, only the failed case runs.
 */
export const REPLAY: { readonly seed?: number; readonly path?: string; readonly commands?: string } = {
  ...(process.env['FC_SEED'] === undefined ? {} : { seed: Number(process.env['FC_SEED']) }),
  ...(process.env['FC_PATH'] === undefined ? {} : { path: process.env['FC_PATH'] }),
  ...(process.env['FC_COMMANDS'] === undefined ? {} : { commands: process.env['FC_COMMANDS'] }),
};

/** Lists of commands. A failing list is shrunk to the commands that matter. */
export function commandLists<Model extends object, Real>(
  commands: readonly fc.Arbitrary<fc.AsyncCommand<Model, Real>>[],
  maxCommands: number,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Real>>> {
  const replayPath = REPLAY.commands === undefined ? {} : { replayPath: REPLAY.commands };

  return fc.commands([...commands], { maxCommands, size: 'max', ...replayPath });
}

/**
 * Checks the property on generated cases. Prints the seed, and on a failure how to repeat the case. Each round has different cases, even with a
 * given seed.
 */
export async function checkProperty<Cases>(title: string, property: fc.IAsyncProperty<Cases>, runs: number, round = 0): Promise<void> {
  const seed = (REPLAY.seed ?? Date.now() % 0x7fffffff) + round;
  console.log(`      seed of ${title}: ${seed}`);
  const details = await fc.check(property, { seed, numRuns: runs, ...(REPLAY.path === undefined ? {} : { path: REPLAY.path }) });

  if (details.failed) {
    throw new Error(`${describeFailure(details)}\nReplay: ${replayOf(details)} npx mocha -g ${JSON.stringify(title)} SPEC_FILE`, {
      cause: details.errorInstance,
    });
  }
}

/**
 * Checks the property on lists of commands until `count` reports enough commands, because lists differ in length, and until `hasMet` says that
 * what is rare among them has come up.
 */
export async function checkOperations<Cases>(title: string, property: fc.IAsyncProperty<Cases>, amount: OperationAmount): Promise<void> {
  const { operations, maxCommands, count, hasMet = () => true } = amount;
  const isEnough = () => count.operations >= operations && hasMet();

  for (let round = 0; round === 0 || (REPLAY.path === undefined && !isEnough()); round += 1) {
    await checkProperty(title, property, Math.max(1, Math.ceil(((operations - count.operations) / maxCommands) * 3)), round);
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
  readonly hasMet?: () => boolean;
}
