import { expect } from 'chai';
import { cacheKeyOf } from '../../dist/query/result-cache.js';

const PARTS = ['', '|', 'x', 'tenant', 'public', 'none', 'computed', 'acme:1', '1'];

const OWNERS = [['public'], ['none'], ['none', 'acme:1'], ['tenant', 'acme:1'], ['tenant', 'acme:11'], ['tenant', 'bob:1']];

describe('the key of a cached result', () => {
  it('S10 is another one for each name and each owner, whatever the name is made of', () => {
    const names = new Set(PARTS.flatMap(one => PARTS.flatMap(two => PARTS.flatMap(three => PARTS.map(four => one + two + three + four)))));
    const owners = [...OWNERS, ...OWNERS.map(each => ['computed', ...each])];
    const keys = new Map<string, string>();

    for (const name of names) {
      for (const each of owners) {
        const key = cacheKeyOf(name, each);
        const asked = JSON.stringify([name, each]);

        expect(keys.get(key), `${asked} has the key of another`).to.equal(undefined);
        keys.set(key, asked);
      }
    }
  });
});
