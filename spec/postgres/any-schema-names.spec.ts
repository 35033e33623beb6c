import { InvalidSchemaNameError, runInTenant, TenantError, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import fc from 'fast-check';
import { Book } from '../../fixtures/entities/index.ts';
import { parseSchemaName, quoteIdentifier } from '../../dist/postgres/schema-name.js';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { anyText, lazily, forAll, nonText, SEED, type LazyValue } from '../support/generators/corpus.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz_';
const WORD = `${LETTERS}0123456789`;

/** The documented rule, implemented differently than in the library. */
function isTenantsName(name: unknown, reserved: readonly (string | RegExp)[] = []): boolean {
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 63) {
    return false;
  }

  const characters = Array.from(name);

  return (
    LETTERS.includes(characters[0] as string) &&
    characters.every(character => WORD.includes(character)) &&
    !['public', 'information_schema', 'landlord_placeholder'].includes(name) &&
    name.slice(0, 3) !== 'pg_' &&
    reserved.every(rule =>
      typeof rule === 'string'
        ? rule !== name
        : [...name.matchAll(new RegExp(rule.source, `g${rule.flags.replaceAll(/[gy]/g, '')}`))].length === 0,
    )
  );
}

const good = fc
  .tuple(fc.constantFrom(...LETTERS.split('')), fc.string({ unit: fc.constantFrom(...WORD.split('')), maxLength: 62 }))
  .map(parts => parts.join(''));

const near = fc.oneof(
  // one character of a valid name is replaced, added or removed
  fc.tuple(good, fc.nat(62), anyText).map(([name, at, text]) => name.slice(0, at) + text + name.slice(at + 1)),
  fc.tuple(good, fc.constantFrom('\n', '\0', ' ', '"', '\u200b', '\u212a')).map(parts => parts.join('')),
  // lengths around the limit, in bytes and in characters
  fc
    .tuple(fc.integer({ min: 61, max: 66 }), fc.constantFrom('a', '_', 'é', 'ａ', '\u{1d41a}'))
    .map(([length, letter]) => letter.repeat(length)),
  fc
    .tuple(
      fc.mixedCase(fc.constantFrom('pg_', 'PG_', 'pg_catalog', 'pg_temp_1', 'public', 'information_schema', 'pg_toast')),
      fc.constantFrom('', 'x', ' ', '\n'),
    )
    .map(parts => parts.join('')),
);

const names: fc.Arbitrary<LazyValue> = fc.oneof(
  { weight: 2, arbitrary: good.map(lazily) },
  { weight: 4, arbitrary: near.map(lazily) },
  { weight: 3, arbitrary: anyText.map(lazily) },
  { weight: 2, arbitrary: nonText },
);

const patterns = fc.array(
  fc.oneof(
    good,
    fc
      .tuple(fc.constantFrom('^tmp_', '_old$', 'a', '[0-9]', '^x', 'b$', '^$', '(?=z)'), fc.subarray(['g', 'y', 'i', 'm', 'u']))
      .map(([source, flags]) => new RegExp(source, flags.join(''))),
  ),
  { maxLength: 3 },
);

describe('generated schema names', () => {
  it('T11 T12 a name is taken if and only if the documented rule has it', async () => {
    await forAll(names, name => expect(outcomeOf(name())).to.equal(isTenantsName(name())), 5_000);
  });

  it('T11 a name is taken if and only if no reserved name or pattern has it, each time it is asked for', async () => {
    await forAll(
      fc.tuple(good, patterns),
      ([name, reserved]) => {
        for (let time = 0; time < 3; time++) {
          expect(outcomeOf(name, reserved)).to.equal(isTenantsName(name, reserved));
        }
      },
      2_000,
    );
  });

  it('T11 a refusal is of one printable line, whatever was given, and keeps it', async () => {
    await forAll(
      names.filter(name => !isTenantsName(name())),
      make => {
        const name = make();
        const error = outcomeError(name);
        expect(error.message).not.to.match(/[\p{Cc}\p{Zl}\p{Zp}\u202e\u200b]/u);
        expect(error.message.length).to.be.below(600);
        expect(Object.is(error.schemaName, name)).to.equal(true);
      },
      1_000,
    );
  });

  it('N1 a quoted name is one identifier, whatever is in it', async () => {
    await forAll(
      anyText,
      name => {
        const quoted = quoteIdentifier(name);
        expect(quoted.at(0)).to.equal('"');
        expect(quoted.at(-1)).to.equal('"');
        expect(quoted.slice(1, -1).replaceAll('""', '')).not.to.include('"');
        expect(quoted.slice(1, -1).replaceAll('""', '"')).to.equal(name);
      },
      2_000,
    );
  });
});

onDatabases('generated schema names', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { migrations: { migrationsList: [] } });
  });

  it('T11 what the rule refuses is refused on every way in, before any SQL', async () => {
    const before = [await schemaNames(database), await storedTenants(database)];
    const ways: readonly ((name: any) => unknown)[] = [
      name => orm.em.fork().persistAndFlush(Object.assign(newLibrary('x'), { schemaName: name })),
      name => tenants(orm).create({ name: 'x', domainUrl: 'x.example.com', schemaName: name }),
      name => orm.em.fork({ schema: name }).find(Book, {}),
      name => orm.em.fork().find(Book, {}, { schema: name }),
      name => orm.em.fork().nativeDelete(Book, {}, { schema: name }),
      name => runInTenant(Object.assign(newLibrary('x'), { schemaName: name }), () => expect.fail('it ran'), { orm }),
    ];
    database.statements.length = 0;

    await forAll(
      // a tenant with the public schema's name is the public tenant
      names.filter(name => !isTenantsName(name()) && name() !== 'public'),
      async make => {
        const name = make();

        for (const way of ways) {
          const error = await failureOf(() => way(name));

          // MikroORM itself may refuse a value that is not a string
          if (typeof name === 'string' || error instanceof TenantError) {
            expect(error).to.be.instanceOf(TenantError);
            expect((error as TenantError).code).to.match(/^(SCHEMA_NAME_(INVALID|RESERVED)|TENANT_CONTEXT_REQUIRED)$/);
          }
        }

        expect(database.statements).to.deep.equal([]);
      },
      150,
    );

    expect([await schemaNames(database), await storedTenants(database)]).to.deep.equal(before);
  });

  it('S4 a text that is no tenant’s name is nobody’s, in the library’s own words', async () => {
    await forAll(
      anyText.filter(name => name !== 'public'),
      async name => {
        expect(await refusal(() => runInTenant(name, () => expect.fail('it ran'), { orm }))).to.include({ code: 'TENANT_UNKNOWN' });
      },
      100,
    );
  });

  it('T11 T12 what the rule takes becomes the schema of exactly that name', async () => {
    const taken = fc.sample(
      good.filter(name => isTenantsName(name)),
      { seed: SEED, numRuns: 30 },
    );
    const created = [
      ...new Set([...taken, 'a'.repeat(63), `${'a'.repeat(62)}b`, 'select', 'user', 'table', 'pg', '_', 'null', 'authorization']),
    ];
    await orm.em.fork().persistAndFlush(created.map((schemaName, index) => newLibrary(schemaName, { domainUrl: `t${index}.example.com` })));

    expect(await schemaNames(database)).to.have.members(created);
    expect(await storedTenants(database)).to.have.members(created);
  });
});

function outcomeOf(name: unknown, reserved: readonly (string | RegExp)[] = []): boolean {
  try {
    return parseSchemaName(name, { publicSchema: 'public', reserved }) === name;
  } catch (error) {
    expect(error, String(error)).to.be.instanceOf(InvalidSchemaNameError).and.to.be.instanceOf(TenantError);

    return false;
  }
}

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }

  return expect.fail('it was taken');
}

function outcomeError(name: unknown): InvalidSchemaNameError {
  try {
    parseSchemaName(name, { publicSchema: 'public', reserved: [] });
  } catch (error) {
    return error as InvalidSchemaNameError;
  }

  return expect.fail('it was taken');
}
