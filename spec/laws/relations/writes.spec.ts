import type { SqlEntityManager } from '@mikro-orm/sql';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { contentsOf, decoysOf, openRelated, TWINS, type Related, type Work } from '../../support/models/relations/open.ts';
import { ownSql, plainSql } from '../../support/models/relations/statements.ts';
import { WRITES } from '../../support/models/relations/writes.ts';

onDatabasesAndPooler('writing relations', database => {
  let related: Related;

  before(async () => {
    related = await openRelated(database);
  });

  after(() => related?.close());

  for (const [name, write] of Object.entries(WRITES)) {
    it(`R3 R5 "${name}" writes the tenant's own tables and shared ones, and no other's`, async () => {
      for (const twin of TWINS) {
        const [other] = TWINS.filter(each => each !== twin);
        const expected = await related.plain[twin].run(undone(write, em => contentsOf(em, 'plain')));
        const found = await related.run(
          twin,
          undone(
            write,
            em => contentsOf(em, twin),
            async em => [await contentsOf(em, String(other), []), await decoysOf(em)],
          ),
        );

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

/** Writes, looks at what there is then, and takes it back; fails where what is `watched` has changed meanwhile. */
function undone(write: Work, look: Look, watched: Look = async () => undefined): Work {
  return async (em, all) => {
    let outcome: unknown;

    await em
      .transactional(async tx => {
        const before = await watched(tx);
        const answer = await write(tx, all);
        outcome = { answer: answer ?? null, contents: await look(tx) };
        expect(await watched(tx)).to.deep.equal(before);
        throw new Undo();
      })
      .catch((error: unknown) => {
        if (!(error instanceof Undo)) {
          throw error;
        }
      });

    return outcome;
  };
}

function isOfWrite(statement: string): boolean {
  return !statement.includes('json_build_object');
}

const FAILURES: Readonly<Record<string, string>> = {
  'a version that is out of date': 'OptimisticLockError: The optimistic lock on entity Person failed',
  'a lock by version': 'OptimisticLockError: The optimistic lock failed, version 2 was expected, but is actually 1',
};

class Undo extends Error {}

type Look = (em: SqlEntityManager) => Promise<unknown>;
