import { raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { holdsCarried } from '../../dist/scope/carried-tenants.js';
import { anyWithin } from '../../dist/scope/plain-values.js';
import { mayHoldEntities } from '../../dist/entities/foreign-entities.js';

class Thing {}

const symbol = Symbol('a fragment that is a key');

/** What holds something that has to be looked at, as the value, in a list, in an object, and deep in both. */
const within = (leaf: unknown): readonly unknown[] => [leaf, [leaf], { a: leaf }, { a: [1, { b: [leaf] }] }];

describe('what is in a value', () => {
  it('law 2: an object of a class, a fragment and the symbol of one are seen wherever they are', () => {
    for (const given of [...within(new Thing()), ...within(raw('1')), ...within(symbol), { [symbol]: 1 }, [{ [symbol]: 1 }]]) {
      expect(anyWithin(given, () => true)).to.equal(true);
      expect(mayHoldEntities(given)).to.equal(true);
    }

    for (const given of [...within(raw('1')), ...within(symbol), { [symbol]: 1 }, [{ [symbol]: 1 }]]) {
      expect(holdsCarried(given)).to.equal(true);
    }
  });

  it('law 2: texts, numbers, dates and what is absent are none of these', () => {
    for (const given of ['text', 1, 1n, true, null, undefined, new Date()].flatMap(within)) {
      expect(mayHoldEntities(given)).to.equal(false);
      expect(holdsCarried(given)).to.equal(false);
    }
  });

  it('law 2: what contains itself, or is deeper than is looked, counts as if it held one', () => {
    const own: unknown[] = [];
    own.push(own);
    expect(mayHoldEntities(own)).to.equal(true);
    expect(holdsCarried(own)).to.equal(true);
  });
});
