import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { checkTarget, planMigrations, type MigrationTarget } from '../../../lib/migrations/run/plan.ts';

class Nothing extends Migration {
  override up(): void {}
}

const SET = ['a', 'b', 'c', 'd'].map(name => ({ name, MigrationClass: Nothing, transactional: true }));

describe('planning a run', () => {
  it('M3 up runs what the schema lacks, in the order of the set, wherever the gap is', () => {
    expect(up([])).to.deep.equal(['a', 'b', 'c', 'd']);
    expect(up(['a', 'c'])).to.deep.equal(['b', 'd']);
    expect(up(['a', 'b', 'c', 'd'])).to.deep.equal([]);
    expect(up(['z'])).to.deep.equal(['a', 'b', 'c', 'd']);
  });

  it('M3 up goes from after one to another, and runs what is named alone', () => {
    expect(up([], { to: 'b' })).to.deep.equal(['a', 'b']);
    expect(up(['a'], { to: 'a' })).to.deep.equal([]);
    expect(up([], { from: 'b' })).to.deep.equal(['c', 'd']);
    expect(up(['c'], { from: 'a', to: 'c' })).to.deep.equal(['b']);
    expect(up(['a'], { only: ['d', 'a', 'b'] })).to.deep.equal(['b', 'd']);
    expect(up([], { only: [] })).to.deep.equal([]);
  });

  it('M8 down reverts the latest of the set that the schema has, also where one with an earlier date came late', () => {
    expect(down(['a', 'b'])).to.deep.equal(['b']);
    expect(down(['b', 'a'])).to.deep.equal(['b']);
    expect(down(['a', 'c', 'd', 'b'], { to: 'a' })).to.deep.equal(['d', 'c', 'b']);
    expect(down([])).to.deep.equal([]);
  });

  it('M8 down to one keeps it and what comes before it, to 0 keeps none', () => {
    expect(down(['a', 'b', 'c'], { to: 'a' })).to.deep.equal(['c', 'b']);
    expect(down(['a', 'b', 'c'], { to: 'c' })).to.deep.equal([]);
    expect(down(['a', 'b', 'c'], { to: 0 })).to.deep.equal(['c', 'b', 'a']);
    expect(down(['a', 'b', 'c'], { only: ['a', 'c'] })).to.deep.equal(['c', 'a']);
  });

  it('M8 down to one that the schema never had keeps what comes before it all the same', () => {
    expect(down(['a', 'c', 'd'], { to: 'b' })).to.deep.equal(['d', 'c']);
    expect(down(['a'], { to: 'b' })).to.deep.equal([]);
    expect(down(['c', 'a', 'd'], { to: 'b' })).to.deep.equal(['d', 'c']);
  });

  it('M8 down is refused where a later one would have to go first that the set does not have', () => {
    expect(() => down(['a', 'b', 'z']))
      .to.throw('"z"')
      .with.property('code', 'MIGRATION_UNKNOWN');
    expect(() => down(['a', 'z', 'b'], { to: 0 }))
      .to.throw('"z"')
      .with.property('code', 'MIGRATION_UNKNOWN');
    expect(() => down(['z']))
      .to.throw('"z"')
      .with.property('code', 'MIGRATION_UNKNOWN');
    expect(down(['z', 'a', 'b'], { to: 0 })).to.deep.equal(['b', 'a']);
    expect(down(['a', 'b', 'z'], { to: 'b' })).to.deep.equal([]);
    expect(down(['a', 'b', 'z'], { only: ['b'] })).to.deep.equal(['b']);
  });

  it('M3 refuses every name that is not in the set', () => {
    expect(() => checkTarget(SET, { direction: 'up', to: 'y', from: 'x', only: ['a', 'w'] }))
      .to.throw('"w", "x", "y"')
      .with.property('code', 'MIGRATION_UNKNOWN');
    expect(() => checkTarget(SET, { direction: 'down', to: 0 })).to.not.throw();
  });
});

function up(executed: string[], target: Omit<MigrationTarget, 'direction'> = {}): string[] {
  return planMigrations(SET, executed, { ...target, direction: 'up' }).map(({ name }) => name);
}

function down(executed: string[], target: Omit<MigrationTarget, 'direction'> = {}): string[] {
  return planMigrations(SET, executed, { ...target, direction: 'down' }).map(({ name }) => name);
}
