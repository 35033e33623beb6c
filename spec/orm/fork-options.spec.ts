import { expect } from 'chai';
import * as forkOptions from '../../dist/orm/fork-options.js';

describe('How the library forks EntityManagers', () => {
  it('G4 has one order of properties for all, so that V8 meets one kind of objects', () => {
    const orders = Object.values(forkOptions).map(each => Object.keys(each).join());

    expect(orders).to.have.length.greaterThan(2);
    expect(new Set(orders).size).to.equal(1);
  });
});
