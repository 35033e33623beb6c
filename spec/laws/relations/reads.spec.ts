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
      // the tenants alternate, and sometimes both are read
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

  // the result and the SQL must be those of MikroORM without tenants on a database with only this tenant's rows
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
      // Citus joins a materialized view, which is on the coordinator, in two steps, and so in another order
      const ordered = database.isCitus && ON_COORDINATOR.includes(relation) ? sorted : (answer: unknown) => answer;
      expect(ordered(found.answer)).to.deep.equal(ordered(expected.answer));
      expect(found.failure).to.equal(expected.failure);

      // a failure may have prevented other statements
      if (expected.failure === undefined) {
        expect(readsOf(ownSql(found.statements, twin))).to.deep.equal(readsOf(plainSql(expected.statements)));
      }
    }
  }
});

// a statement with raw SQL runs in a transaction that sets the path
function readsOf(statements: readonly string[]): string[] {
  return statements.filter(statement => !/^(begin\b|commit\b|rollback\b)/.test(statement)).toSorted();
}

function sorted(answer: unknown): unknown {
  if (Array.isArray(answer)) {
    return answer.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }

  return typeof answer === 'object' && answer !== null
    ? Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, sorted(value)]))
    : answer;
}

/** Reads of a materialized view by what it refers to, without an order. */
const ON_COORDINATOR: readonly string[] = ['Tally.country', 'a materialized view'];

/** Reads that fail without tenants too. With tenants, they must fail in the same way. */
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
