/**
 * Which mutants of a group make a run fail. They are active at once, so that those which nothing notices take one run together. If it fails, the
 * failing specs alone are asked which mutant it is, by halves, and the run goes on there without that one. A mutant may hide another: one that is
 * noticed is always shown alone, but one that is not may be noticed in other company, or alone.
 */
export async function findNoticed<Mutant>(group: readonly Mutant[], run: RunMutants<Mutant>): Promise<readonly Mutant[]> {
  const noticed: Mutant[] = [];
  let rest = group;
  let from = ALL;

  while (rest.length > 0) {
    const failed = await run(rest, { from });

    if (failed === undefined) {
      return noticed;
    }

    const one = await narrow(rest, run, failed);

    if (one === undefined) {
      // none alone fails these specs
      const [some, others] = halves(rest);

      return rest.length === 1 ? noticed : [...noticed, ...(await findNoticed(some, run)), ...(await findNoticed(others, run))];
    }

    noticed.push(one);
    rest = rest.filter(mutant => mutant !== one);
    from = failed === ALL ? from : failed;
  }

  return noticed;
}

async function narrow<Mutant>(group: readonly Mutant[], run: RunMutants<Mutant>, only: string): Promise<Mutant | undefined> {
  let rest = group;
  // a run of one alone has shown it
  let isShown = rest.length === 1;

  while (rest.length > 1) {
    const [some, others] = halves(rest);
    isShown = (await run(some, { only })) !== undefined;
    rest = isShown ? some : others;
  }

  // twice alone, as a spec may fail by chance
  for (let times = isShown ? 1 : 0; times < 2; times++) {
    if ((await run(rest, { only })) === undefined) {
      return undefined;
    }
  }

  return rest[0];
}

/** What fits all specs. */
export const ALL = '';

/** The first mutants that can be active at once: where two overlap, only one would have an effect. */
export function nextGroup<Mutant extends Placed>(mutants: readonly Mutant[], size: number): readonly Mutant[] {
  const group: Mutant[] = [];

  for (const mutant of mutants) {
    if (group.length < size && !group.some(other => overlap(mutant, other))) {
      group.push(mutant);
    }
  }

  return group;
}

function overlap(one: Placed, other: Placed): boolean {
  const isBefore = (first: Placed, second: Placed): boolean => {
    const { end } = first.location;
    const { start } = second.location;

    return end.line < start.line || (end.line === start.line && end.column <= start.column);
  };

  return one.fileName === other.fileName && !isBefore(one, other) && !isBefore(other, one);
}

function halves<Item>(items: readonly Item[]): readonly [readonly Item[], readonly Item[]] {
  const middle = Math.ceil(items.length / 2);

  return [items.slice(0, middle), items.slice(middle)];
}

/** Runs specs with these mutants. If one fails, it is what fits those that fail. */
export type RunMutants<Mutant> = (mutants: readonly Mutant[], which: Which) => Promise<string | undefined>;

/** The specs to run: those that fit a regular expression, or the first that fits one and all after it. */
export interface Which {
  readonly only?: string;
  readonly from?: string;
}

interface Placed {
  readonly fileName: string;
  readonly location: { readonly start: Position; readonly end: Position };
}

interface Position {
  readonly line: number;
  readonly column: number;
}
