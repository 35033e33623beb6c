import { runInTenant, UnsupportedValueError, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw, sql } from '@mikro-orm/core';
import { expect } from 'chai';
import fc from 'fast-check';
import { Author } from '../../fixtures/entities/index.ts';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { forAll } from '../support/generators/corpus.ts';
import { turnsOf } from '../support/generators/effort.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';

/** Objects whose text would be SQL, by what kind of object each is. */
const OBJECTS: Readonly<Record<string, (text: string) => unknown>> = {
  'a URL': text => new URL(`x:${text}`),
  'a String object': text => Object(text),
  'an error': text => Object.assign(new Error(text), { name: '' }),
  // to MikroORM it is a condition, so it is one that no row meets
  'a regular expression': text => new RegExp(`^=${text.replaceAll(/[^\w ]/g, '')}`),
  'an object with toString()': text =>
    new (class Value {
      toString = () => text;
    })(),
  'an object with valueOf()': text =>
    new (class Value {
      valueOf = () => text;
    })(),
  'an object with toJSON()': text =>
    new (class Value {
      toJSON = () => text;
    })(),
  'an object with Symbol.toPrimitive': text =>
    new (class Value {
      [Symbol.toPrimitive] = () => text;
    })(),
  'an object with toPostgres()': text =>
    new (class Value {
      toPostgres = () => text;
    })(),
  // one with `toRaw()` is a query to MikroORM, by its own protocol
  'an object with toSQL()': text =>
    new (class Value {
      toSQL = () => ({ sql: text });
    })(),
  'a plain object': text => ({ __raw: true, sql: text, params: [], toString: () => text }),
  'an object without a prototype': text => Object.assign(Object.create(null), { toString: () => text }),
  'a proxy': text => new Proxy({}, { get: (_, key) => (key === Symbol.toPrimitive ? () => text : undefined) }),
  'a map': text => new Map([[text, text]]),
  'a set': text => new Set([text]),
  'a function': text => Object.assign(() => text, { toString: () => text }),
  'a class': text => Object.assign(class {}, { toString: () => text }),
  'a symbol': text => Symbol(text),
  'a promise': async text => text,
  'a date with a text of its own': text => Object.assign(new Date(0), { toISOString: () => text, toString: () => text }),
  'a date of a class': text =>
    new (class extends Date {
      override toISOString = () => `'${text}`;
      override getTime = () => text as never;
    })(0),
  'bytes with a text of their own': text => Object.assign(new Uint8Array([1]), { toString: () => `'${text}` }),
  'a data view': text => Object.assign(new DataView(new ArrayBuffer(1)), { toString: () => `'${text}` }),
  'an array with a map() of its own': text => Object.assign(['x'], { map: () => [text], join: () => text }),
  'an array-like': text => ({ length: 1, 0: text, join: () => text }),
};

/** The ways by which a value goes into SQL. Each answers with what it has found. */
const USES: Readonly<Record<string, (em: TenantEntityManager, value: any) => unknown>> = {
  'em.find()': (em, name) => em.find(Author, { name }),
  'em.find() by an operator': (em, value) => em.find(Author, { name: { $eq: value } }),
  'em.find() by $in': (em, value) => em.find(Author, { name: { $in: [value, 'nobody'] } }),
  'em.findOne()': (em, name) => em.findOne(Author, { name }),
  'em.count()': (em, name) => em.count(Author, { name }),
  'em.find() by $like': (em, value) => em.find(Author, { name: { $like: value } }),
  'a query builder': (em, name) => em.qb(Author).where({ name }).getResultList(),
  'a query builder, from text': (em, value) => em.qb(Author, 'a').where('a.name = ?', [value]).getResultList(),
  'a query builder, having': (em, value) => em.qb(Author, 'a').select('a.id').groupBy('a.id').having('min(a.name) = ?', [value]).execute(),
  'raw()': (em, value) => em.find(Author, { [raw('name')]: raw('?::text', [value]) }),
  'sql``': (em, value) =>
    em
      .qb(Author, 'a')
      .where(sql`a.name = ${value}::text`)
      .getResultList(),
  'em.execute()': (em, value) => em.execute('select * from author where name = ?', [value]),
  'em.execute() with names': (em, value) => em.execute('select * from author where name = :value', { value }),
  'em.execute() with a list': (em, value) => em.execute('select * from author where name in (?)', [[value, [value]]]),
  'em.nativeDelete()': (em, name) => em.nativeDelete(Author, { name }),
  'em.nativeUpdate() by': (em, name) => em.nativeUpdate(Author, { name }, { name: 'changed' }),
};

/** Whatever it becomes, these texts find nobody. */
const TEXTS = [`name::text or true --`, `''::text or true --`, `(select name from bob.author limit 1)`, `' or true --`];

onDatabasesAndPooler('an object that is given as a value', database => {
  let rows: unknown;

  before(async () => {
    await openTwins(database);
    rows = await everyRowOfTwins(database);
  });

  for (const [use, run] of Object.entries(USES)) {
    it(`N5 is never SQL: ${use}`, async () => {
      for (const [turn, make] of Object.values(OBJECTS).entries()) {
        // what a value becomes is the same on all of them
        for (const text of database.kind === 'postgresql' ? TEXTS : turnsOf(TEXTS, turn, 1)) {
          expect(await foundBy(run, make(text)), `${make} ${text}`).to.be.oneOf(['nothing', 'refused']);
        }
      }

      expect(await everyRowOfTwins(database)).to.deep.equal(rows);
    });
  }

  it('N5 is never SQL: by any way, nested in lists, whatever its text', async () => {
    await forAll(
      fc.record({
        use: fc.constantFrom(...Object.keys(USES)),
        kind: fc.constantFrom(...Object.keys(OBJECTS)),
        text: fc.oneof(
          fc.constantFrom(...TEXTS),
          fc.string().filter(text => !/[\0\p{Surrogate}]/u.test(text)),
        ),
        depth: fc.nat(3),
      }),
      async ({ use, kind, text, depth }) => {
        let value = OBJECTS[kind]!(text);

        for (let level = 0; level < depth; level++) {
          value = [value];
        }

        expect(await foundBy(USES[use]!, value)).to.be.oneOf(['nothing', 'refused']);
      },
      150,
    );

    expect(await everyRowOfTwins(database)).to.deep.equal(rows);
  });

  it('N5 G4 an object with a text is found and stored as that text, and the others are refused by their kind', async () => {
    const value = new URL('https://example.com/?a=b');

    await runInTenant('acme', em =>
      rollBackAfter(em, async tx => {
        await tx.insert(Author, { id: 900, name: value.href });
        expect((await tx.findOneOrFail(Author, { name: value as never })).id).to.equal(900);
        expect(await tx.execute('select ?::text as text', [Object('plain')])).to.deep.equal([{ text: 'plain' }]);
        expect(await tx.execute('select ?::int as number', [Object(7)])).to.deep.equal([{ number: 7 }]);
        expect(await tx.execute(`select '{"a":1}' in (?) as found`, [[{ a: 1 }]])).to.deep.equal([{ found: true }]);
        expect(await tx.execute(`select encode(?::bytea, 'hex') as hex`, [new Uint8Array([0, 39, 255])])).to.deep.equal([
          { hex: '0027ff' },
        ]);
        expect(await tx.execute(`select encode(?::bytea, 'hex') as hex`, [new DataView(new ArrayBuffer(2), 1)])).to.deep.equal([
          { hex: '00' },
        ]);
      }),
    );
    const refused = await runInTenant('acme', em => em.find(Author, { name: new Map() as never })).catch((error: unknown) => error);

    expect(refused).to.be.instanceOf(UnsupportedValueError);
    expect(refused).to.include({ code: 'VALUE_UNSUPPORTED' });
    expect((refused as Error).message).to.contain('An object of class Map');
  });

  /** What acme's authors by the value are, in a transaction that is rolled back. */
  function foundBy(run: (typeof USES)[string], value: unknown): Promise<string> {
    // the texts are meant to stand in literals
    return asObserver(() =>
      runInTenant('acme', async em => {
        try {
          const result = await rollBackAfter(em, tx => run(tx, value));

          return isNothing(result) ? 'nothing' : JSON.stringify(result);
        } catch {
          // by the library, by MikroORM or by PostgreSQL: as text it need not be a date or a number
          return 'refused';
        }
      }),
    );
  }
});

function isNothing(result: unknown): boolean {
  return result === null || result === 0 || (Array.isArray(result) && result.length === 0);
}
