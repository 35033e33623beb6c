import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import type { Mutant } from '@stryker-mutator/api/core';

/** Takes so many at random. The same seed takes the same again, and for a greater number the same and others. */
export function sampleOf(identities: readonly string[], { count, seed }: Sampling): readonly string[] {
  const drawn = identities.map(identity => ({ identity, lot: createHash('sha256').update(`${seed} ${identity}`).digest('hex') }));

  return drawn
    .toSorted((one, other) => (one.lot < other.lot ? -1 : 1))
    .slice(0, count)
    .map(({ identity }) => identity);
}

/** Between which shares the true one is with 95 % certainty, if `noticed` of `count` were noticed: the score interval of Wilson. */
export function wilsonInterval(noticed: number, count: number): { readonly from: number; readonly to: number } {
  const share = noticed / count;
  const z = 1.959964;
  const middle = share + z ** 2 / (2 * count);
  const distance = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  const scale = 1 + z ** 2 / count;

  return { from: (middle - distance) / scale, to: (middle + distance) / scale };
}

/** What tells a mutant from all others: where it is, as Stryker takes it, and what is there instead. */
export function identityOf(mutant: PlannedMutant): string {
  const { start, end } = mutant.location;
  const place = `${start.line + 1}:${start.column}-${end.line + 1}:${end.column}`;

  return `${relative(process.cwd(), mutant.fileName)}:${place} ${mutant.mutatorName}, ${mutant.replacement}`;
}

/** A mutant as Stryker plans it. Its lines and columns start at 0. */
export type PlannedMutant = Pick<Mutant, 'fileName' | 'location' | 'mutatorName' | 'replacement'>;

export interface Sampling {
  readonly count: number;
  readonly seed: number;
}
