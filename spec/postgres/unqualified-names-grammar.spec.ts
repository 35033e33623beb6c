import { expect } from 'chai';
import fc from 'fast-check';
import { hasUnqualifiedNames } from '../../dist/postgres/unqualified-names.js';
import { SEED } from '../support/generators/corpus.ts';
import { effort, turnsOf } from '../support/generators/effort.ts';
import { checkProperty } from '../support/generators/property.ts';
import { loadGrammar, namesOnPath } from '../support/generators/sql-grammar.ts';
import { anyStatement, STATEMENTS, withPieceAnywhere } from '../support/generators/sql-statements.ts';

describe('names that the search path decides, by the grammar of PostgreSQL', () => {
  before(() => loadGrammar());

  it('C7, law 2: none that the grammar sees is missed', async function () {
    this.timeout(600_000);
    const count = { named: 0, free: 0, reported: 0 };
    const property = fc.asyncProperty(fc.array(anyStatement(), { minLength: 100, maxLength: 100 }), async statements => {
      for (const sql of statements) {
        const names = namesOnPath(sql);

        if (names !== undefined) {
          const isReported = hasUnqualifiedNames(sql);
          count[names.length > 0 ? 'named' : isReported ? 'reported' : 'free'] += 1;

          expect(isReported || names.length === 0, `${names.join(', ')} in ${sql}`).to.equal(true);
        }
      }
    });
    await checkProperty('names by the grammar', property, effort(150, 5_000));
    console.log(`      ${count.named} with names, ${count.free} without, ${count.reported} reported for nothing`);

    expect(count.named).to.be.greaterThan(50);
    expect(count.free).to.be.greaterThan(50);
  });

  it('C7, law 2: none is missed after a word that is something else elsewhere', function () {
    this.timeout(600_000);
    const missed: string[] = [];

    for (const statement of turnsOf(STATEMENTS(), SEED, 1)) {
      for (const sql of withPieceAnywhere(statement)) {
        // what is reported is safe, and the grammar takes most of the time
        if (!hasUnqualifiedNames(sql) && namesOnPath(sql)?.length) {
          missed.push(sql);
        }
      }
    }

    expect(missed).to.deep.equal([]);
  });
});
