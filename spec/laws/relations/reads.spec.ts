import { expect } from 'chai';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { openRelated, TWINS, type Related, type Twin } from '../../support/models/relations/open.ts';
import { OTHER_READS } from '../../support/models/relations/other-reads.ts';
import { RELATIONS, waysOf, REPRESENTATIVE_WAYS, type Read } from '../../support/models/relations/reads.ts';
import { ownSql, plainSql } from '../../support/models/relations/statements.ts';

onDatabasesAndPooler('reading relations', database => {
  const failing = new Set<string>();
  let related: Related;

  before(async () => {
    related = await openRelated(database);
  });

  for (const [kind, relation] of Object.entries(RELATIONS)) {
    const ways = waysOf(relation).filter(([name]) => database.kind === 'postgresql' || REPRESENTATIVE_WAYS.includes(name));

    for (const [index, [way, read]] of ways.entries()) {
      // one tenant and the other in turn, and now and then both
      const twins = index % 4 === 0 ? TWINS : TWINS.slice(index % 2).slice(0, 1);
      const isSteady = relation.unsteady?.includes(way) !== true;

      it(`R2 R3 R5 ${kind}: ${relation.of}.${relation.to} by "${way}" is read from the tenant's own tables and shared ones`, async () => {
        for (const twin of twins) {
          await expectOwn(twin, read, { isSteady, relation: `${relation.of}.${relation.to}` });
        }
      });
    }
  }

  for (const [name, read] of Object.entries(OTHER_READS)) {
    it(`R2 R3 R5 "${name}" is read from the tenant's own tables and shared ones`, async () => {
      for (const twin of TWINS) {
        await expectOwn(twin, read, { isSteady: true, relation: name });
      }
    });
  }

  it('R2 MikroORM itself reads all of them by all these ways, but for these', () => {
    expect(FAILING).to.include.members([...failing]);
  });

  // as MikroORM without tenants answers on a database that has this tenant's rows alone, and by the same SQL
  async function expectOwn(twin: Twin, read: Read, { isSteady, relation }: { isSteady: boolean; relation: string }): Promise<void> {
    const expected = await related.plain[twin].run(read);
    const found = await related.run(twin, read);

    if (expected.failure !== undefined) {
      failing.add(relation);
    }

    for (const other of [...TWINS, 'decoy'].filter(name => name !== twin)) {
      expect(JSON.stringify(found.answer ?? null)).not.to.contain(`${other} `);
    }

    expect(ownSql(found.statements, twin).filter(sql => sql.includes('NOT ITS OWN'))).to.deep.equal([]);

    if (isSteady) {
      expect(found.answer).to.deep.equal(expected.answer);
      expect(found.failure).to.equal(expected.failure);

      // what fails may have kept something else from being sent
      if (expected.failure === undefined) {
        expect(readsOf(ownSql(found.statements, twin))).to.deep.equal(readsOf(plainSql(expected.statements)));
      }
    }
  }
});

// a statement with SQL of its own has its path in a transaction
function readsOf(statements: readonly string[]): string[] {
  return statements.filter(statement => !/^(begin|commit|rollback)\b/.test(statement)).toSorted();
}

/** What fails in one way or another where there are no tenants, and has to fail in the same way with them. */
const FAILING: readonly string[] = [
  'Album.items',
  'Comment.on',
  'Country.anthem',
  'Label.people',
  'Parcel.to',
  'Passport.stamps',
  'Person.comments',
  'Person.labels',
  'Person.memberships',
];
