import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

/** Each refused name with the damage that it would do, and the rule in the error. */
const INVALID: readonly (readonly [name: unknown, damage: string, rule: string])[] = [
  ['a"; drop schema public cascade; --', 'ends the quoted identifier', '^[a-z_][a-z0-9_]*$'],
  ["a'b", 'ends a string', '^[a-z_][a-z0-9_]*$'],
  ['a;b', 'begins another statement', '^[a-z_][a-z0-9_]*$'],
  ['a b', 'is two words where it is not quoted', '^[a-z_][a-z0-9_]*$'],
  ['a-b', 'is a subtraction where it is not quoted', '^[a-z_][a-z0-9_]*$'],
  ['a.b', 'is a table of another schema', '^[a-z_][a-z0-9_]*$'],
  ['a,public', 'is two schemas of a search_path', '^[a-z_][a-z0-9_]*$'],
  ['acme\n', 'passes a multi-line pattern', '^[a-z_][a-z0-9_]*$'],
  ['acme\nx', 'passes a multi-line pattern', '^[a-z_][a-z0-9_]*$'],
  ['acme\u0000', 'cuts the statement', '^[a-z_][a-z0-9_]*$'],
  ['../x', 'leaves the folder it is used in', '^[a-z_][a-z0-9_]*$'],
  ['Acme', 'is acme where it is not quoted', '^[a-z_][a-z0-9_]*$'],
  ['1acme', 'is a number where it is not quoted', '^[a-z_][a-z0-9_]*$'],
  ['$user', 'is the role on a search_path', '^[a-z_][a-z0-9_]*$'],
  ['*', 'is every tenant to MikroORM', '^[a-z_][a-z0-9_]*$'],
  ['', 'is no identifier', '^[a-z_][a-z0-9_]*$'],
  ['é'.repeat(63), 'is cut to half', '^[a-z_][a-z0-9_]*$'],
  ['аcme', 'looks like another, with a Cyrillic letter', '^[a-z_][a-z0-9_]*$'],
  ['a'.repeat(64), 'is cut into another', '63 bytes'],
  [undefined, 'is missing', 'not a string'],
  [null, 'is missing', 'not a string'],
];

const RESERVED: readonly (readonly [name: string, rule: string])[] = [
  ['pg_catalog', 'pg_'],
  ['pg_toast', 'pg_'],
  ['pg_acme', 'pg_'],
  ['information_schema', 'SQL standard'],
  ['landlord_placeholder', 'generator'],
  ['www', '`reservedSchemaNames` contains www'],
  ['tmp_acme', '`reservedSchemaNames` contains /^tmp_/g'],
];

onDatabases('refusing a schema name', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { reservedSchemaNames: ['www', /^tmp_/g] });
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
  });

  beforeEach(() => {
    database.statements.length = 0;
  });

  afterEach(async () => {
    expect(await schemaNames(database)).to.deep.equal(['acme']);
    expect(await storedTenants(database)).to.deep.equal(['acme']);
  });

  for (const [name, damage, rule] of INVALID) {
    it(`T11 refuses ${JSON.stringify(name) ?? 'undefined'}, which ${damage}, before any SQL`, async () => {
      const error = await refusal(orm.em.fork().persistAndFlush(newLibrary('bad', { schemaName: name })));

      expect(error).to.include({ code: 'SCHEMA_NAME_INVALID', name: 'InvalidSchemaNameError', schemaName: name });
      expect(error.message)
        .to.include(JSON.stringify(name) ?? 'undefined')
        .and.to.include(rule)
        .and.to.include('"acme_ltd"');
      expect(database.statements).to.deep.equal([]);
    });
  }

  for (const [name, rule] of RESERVED) {
    it(`T11 refuses the reserved ${name}, every time, before any SQL`, async () => {
      for (const em of [orm.em.fork(), orm.em.fork()]) {
        const error = await refusal(em.persistAndFlush(newLibrary('bad', { schemaName: name })));

        expect(error).to.include({ code: 'SCHEMA_NAME_RESERVED', schemaName: name });
        expect(error.message).to.include(JSON.stringify(name)).and.to.include(rule);
      }

      expect(database.statements).to.deep.equal([]);
    });
  }

  it('T11 refuses the same names to a tenant that is renamed, before any SQL', async () => {
    const em = orm.em.fork();
    const acme = await em.findOneOrFail(Library, { schemaName: 'acme' });
    database.statements.length = 0;

    for (const [name, , rule] of INVALID.filter(([value]) => typeof value === 'string')) {
      acme.schemaName = String(name);
      expect((await refusal(em.flush())).message).to.include(rule);
    }

    for (const name of [...RESERVED.map(([reserved]) => reserved), 'public']) {
      acme.schemaName = name;
      expect(await refusal(em.flush())).to.include({ code: 'SCHEMA_NAME_RESERVED', schemaName: name });
    }

    expect(database.statements).to.deep.equal([]);
  });

  it('T11 refuses the same names to the service', async () => {
    for (const schemaName of ['a"b', 'Acme', '']) {
      const made = tenants<Library>(orm).create({ name: 'Bad', domainUrl: 'bad.example.com', schemaName, onTrial: true });

      expect(await refusal(made)).to.include({ code: 'SCHEMA_NAME_INVALID' });
      expect(database.statements).to.deep.equal([]);
      expect(await refusal(tenants(orm).rename('acme', schemaName))).to.include({ code: 'SCHEMA_NAME_INVALID' });
      database.statements.length = 0;
    }
  });

  it('T16 refuses the name of the database role, whose schema every unqualified name would be looked up in', async () => {
    const [role] = await database.query<{ name: string }>('select current_user::text as name');
    const schemaName = role?.name ?? '';

    for (const attempt of [() => orm.em.fork().persistAndFlush(newLibrary(schemaName)), () => tenants(orm).rename('acme', schemaName)]) {
      const error = await refusal(attempt);

      expect(error).to.include({ code: 'SCHEMA_NAME_RESERVED', schemaName });
      expect(error.message).to.include(`"${schemaName}"`).and.to.include('it is the name of the database role');
    }
  });

  it('T9 names the property of which another tenant has the value', async () => {
    const sameSchema = newLibrary('acme', { domainUrl: 'other.example.com' });
    const sameDomain = newLibrary('other', { domainUrl: 'acme.example.com' });
    const error = await refusal(orm.em.fork().persistAndFlush(sameSchema));

    expect(error).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'schemaName' });
    expect(error.message).to.include('`schemaName`').and.to.include('Nothing was stored');
    expect(error.cause).to.be.an('error').with.property('code', '23505');
    expect(await refusal(orm.em.fork().persistAndFlush(sameDomain))).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'domainUrl' });
    expect(await refusal(orm.em.fork().transactional(async em => void em.persist(newLibrary('acme'))))).to.include({
      code: 'TENANT_ALREADY_EXISTS',
    });
  });
});

onDatabases(
  'refusing a schema name that unqualified SQL would find',
  database => {
    it('T16 is that of each schema on the path of the connections', async () => {
      const orm = await openLibrary(database, {}, { driverOptions: { options: '-c search_path=public,legacy' } });
      await orm.em.fork().persistAndFlush(newLibrary('acme'));

      for (const attempt of [() => orm.em.fork().persistAndFlush(newLibrary('legacy')), () => tenants(orm).rename('acme', 'legacy')]) {
        const error = await refusal(attempt, 'SCHEMA_NAME_RESERVED');

        expect(error.message).to.include('it is on the `search_path`');
      }

      expect([await schemaNames(database), await storedTenants(database)]).to.deep.equal([['acme'], ['acme']]);
    });
  },
  ['postgresql'],
);
