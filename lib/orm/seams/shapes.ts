import type { Owners } from './owners.js';
import type { Seam } from './seam.js';

/** A seam that is not as it has to be, and what was seen in its place. */
export interface BrokenSeam {
  readonly seam: Seam;
  readonly seen: string;
}

/** The seams of these owners that are not there, or not as the register has them. */
export function brokenShapes(seams: readonly Seam[], owners: Owners): BrokenSeam[] {
  return seams.flatMap(seam => {
    const owner = owners[seam.owner];
    const seen = owner === undefined ? undefined : misfit(seam, owner);

    return seen === undefined ? [] : [{ seam, seen }];
  });
}

function misfit({ member, use, arity = [0, Infinity] }: Seam, owner: object): string | undefined {
  const found = descriptorOf(owner, member);

  if (found === undefined) {
    return 'it is not there';
  }

  if (use === 'read' || use === 'write' || found.get !== undefined) {
    return undefined;
  }

  const value: unknown = found.value;

  if (typeof value !== 'function') {
    return 'it is no method';
  }

  const [least, most] = typeof arity === 'number' ? [arity, arity] : arity;

  // one that is wrapped, as by an instrumentation, may declare none
  return value.length > most || (value.length < least && value.length > 0)
    ? `it has ${value.length} parameters in place of ${[...new Set([least, most])].join(' to ')}`
    : undefined;
}

// not by reading it, as a getter needs an object that is whole
function descriptorOf(owner: object, member: string): PropertyDescriptor | undefined {
  for (let each: object | null = owner; each !== null; each = Object.getPrototypeOf(each) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(each, member);

    if (descriptor !== undefined) {
      return descriptor;
    }
  }

  return undefined;
}
