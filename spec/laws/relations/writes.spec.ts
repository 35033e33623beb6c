import type { SqlEntityManager } from '@mikro-orm/sql';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { contentsOf, decoysOf, openRelated, TWINS, type Related, type Work } from '../../support/models/relations/open.ts';
import { ownSql, plainSql } from '../../support/models/relations/statements.ts';
import { WRITES } from '../../support/models/relations/writes.ts';
import { rollBackAfter } from '../../support/orm/roll-back-after.ts';

onDatabasesAndPooler('writing relations', database => {
  let related: Related;

  before(async () => {
    related = await openRelated(database);
  });

  for (const [name, write] of Object.entries(WRITES)) {
    it(`R3 R5 "${name}" writes the tenant's own tables and shared ones, and no other's`, async () => {
      for (const twin of TWINS) {
        const [other] = TWINS.filter(each => each !== twin);
        const expected = await related.plain[twin].run(rolledBack(write, em => contentsOf(em, 'plain')));
        const found = await related.run(
          twin,
          rolledBack(
            write,
            em => contentsOf(em, twin),
            async em => [await contentsOf(em, String(other), []), await decoysOf(em)],
          ),
        );

        if (database.isCitus && name in REFUSED_BY_CITUS) {
          expect(found).to.deep.include({ answer: undefined, failure: REFUSED_BY_CITUS[name] });
          continue;
        }

        const sent = ownSql(found.statements.filter(isOfWrite), twin);
        expect(sent.filter(sql => sql.includes('NOT ITS OWN'))).to.deep.equal([]);
        expect(found.answer).to.deep.equal(expected.answer);
        expect(expected.failure, 'MikroORM itself').to.equal(FAILURES[name]);
        expect(found.failure).to.equal(expected.failure);
        expect(sent).to.deep.equal(plainSql(expected.statements).filter(isOfWrite));
      }
    });
  }
});

/** Writes, reads the result, and rolls back. Fails if `watched` has changed in the transaction. */
function rolledBack(write: Work, look: Look, watched: Look = async () => undefined): Work {
  return (em, all) =>
    rollBackAfter(em, async tx => {
      const before = await watched(tx);
      const answer = await write(tx, all);
      const contents = await look(tx);
      expect(await watched(tx)).to.deep.equal(before);

      return { answer: answer ?? null, contents };
    });
}

function isOfWrite(statement: string): boolean {
  return !statement.includes('json_build_object');
}

/** What Citus cannot do with a shared row, and says so. */
const REFUSED_BY_CITUS: Readonly<Record<string, string>> = {
  'nativeUpdate by related rows': 'DriverException: cannot perform select on a distributed table and modify a reference table',
};

const FAILURES: Readonly<Record<string, string>> = {
  'a version that is out of date': 'OptimisticLockError: The optimistic lock on entity Person failed',
  'a lock by version': 'OptimisticLockError: The optimistic lock failed, version 2 was expected, but is actually 1',
};

type Look = (em: SqlEntityManager) => Promise<unknown>;
