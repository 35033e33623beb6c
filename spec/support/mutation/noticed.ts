import type { Mutant } from '@stryker-mutator/api/core';
import { createHash } from 'node:crypto';
import { findNoticed, nextGroup } from './groups.ts';
import { identityOf } from './sample.ts';
import { SpecFile } from './spec-file.ts';

/** Runs these files of specs, two at a time, with the mutants that none of them has noticed yet, and returns those that are left. */
export async function missedBy(files: readonly string[], mutants: readonly Mutant[], given: Given): Promise<readonly Mutant[]> {
  const work: Work = { ...given, missed: new Set(mutants), done: 0, count: files.length };
  const waiting = [...files];

  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let file = waiting.shift(); file !== undefined && work.missed.size > 0; file = waiting.shift()) {
        await runFile(file, work);
      }
    }),
  );

  return [...work.missed];
}

async function runFile(name: string, work: Work): Promise<void> {
  const file = new SpecFile(name, work.folder);
  const begun = performance.now();

  try {
    const { failure, atLoad, reached } = await file.look();
    let noticed = 0;

    if (failure === undefined) {
      const loaded = new Set(atLoad);
      const all = shuffled([...work.missed], name);
      noticed += await runMutants(
        all.filter(({ id }) => reached.includes(id) && !loaded.has(id)),
        { file, name, isLoaded: false, work },
      );
      noticed += await runMutants(
        all.filter(({ id }) => loaded.has(id)),
        { file, name, isLoaded: true, work },
      );
    } else {
      console.log(`${name} fails without mutants, and is left out: ${failure.message}`);
    }

    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    console.log(`${++work.done} of ${work.count}, ${name}: notices ${noticed} in ${seconds} s, ${work.missed.size} are left`);
  } finally {
    await file.end();
  }
}

/** How many of these mutants the file notices. */
async function runMutants(mutants: readonly Mutant[], { file, name, isLoaded, work }: Place): Promise<number> {
  // of those of late
  let shareNoticed = 0.1;
  let count = 0;
  let waiting = mutants;

  for (;;) {
    // the other run may have noticed some meanwhile
    waiting = waiting.filter(mutant => work.missed.has(mutant));
    // those that are in what is loaded take a process for each run: where one of three is noticed, groups of two or three take the fewest
    const group = nextGroup(waiting, isLoaded ? Math.min(LARGEST, Math.max(1, Math.round(0.7 / shareNoticed))) : LARGEST);

    if (group.length === 0) {
      return count;
    }

    const noticed = await findNoticed(group, (some, which) =>
      file.failing(
        some.map(({ id }) => id),
        { ...which, isLoaded },
      ),
    );

    for (const mutant of noticed) {
      work.missed.delete(mutant);
      work.onNoticed(mutant, name);
    }

    waiting = waiting.filter(mutant => !group.includes(mutant));
    count += noticed.length;
    shareNoticed += (1 - 0.9 ** group.length) * (noticed.length / group.length - shareNoticed);
  }
}

/** In another order for each file, so that a mutant that hides another one does so once. */
function shuffled(mutants: readonly Mutant[], file: string): readonly Mutant[] {
  const lots = new Map(
    mutants.map(mutant => [
      mutant,
      createHash('sha256')
        .update(`${file} ${identityOf(mutant)}`)
        .digest('hex'),
    ]),
  );

  return mutants.toSorted((one, other) => ((lots.get(one) as string) < (lots.get(other) as string) ? -1 : 1));
}

const AT_ONCE = 2;

const LARGEST = 128;

interface Given {
  /** Where the code with the mutants is. */
  readonly folder: string;
  readonly onNoticed: (mutant: Mutant, file: string) => void;
}

interface Work extends Given {
  readonly missed: Set<Mutant>;
  readonly count: number;
  done: number;
}

interface Place {
  readonly file: SpecFile;
  readonly name: string;
  readonly isLoaded: boolean;
  readonly work: Work;
}
