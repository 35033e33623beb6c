import { expect } from 'chai';
import { parseSchemaName, quoteIdentifier, quoteTable, searchPathOf, type ReservedNames } from '../../dist/postgres/schema-name.js';
import { InvalidSchemaNameError } from '@landlord/mikro-orm';

const NAMES: ReservedNames = { publicSchema: 'shared', reserved: ['www', /^tmp_/, /^api$/g] };

const RESERVED: Readonly<Record<string, string>> = {
  shared: 'the public schema',
  public: 'the public schema',
  pg_catalog: 'names that start with pg_',
  pg_: 'names that start with pg_',
  information_schema: 'the SQL standard’s own',
  landlord_placeholder: 'the migration generator uses it',
  www: '`reservedSchemaNames` contains www',
  tmp_1: '`reservedSchemaNames` contains /^tmp_/',
  api: '`reservedSchemaNames` contains /^api$/g',
};

describe('parseSchemaName', () => {
  for (const name of ['a', '_', 'acme', 'acme_ltd', '_1', 'a1', 'select', 'user', 'pg', 'pgx_', 'apis', 'www2', 'my_www', 'a'.repeat(63)]) {
    it(`T11 T12 takes ${name}`, () => {
      expect(parseSchemaName(name, NAMES)).to.equal(name);
    });
  }

  for (const name of [
    '',
    'Acme',
    '1a',
    'a-b',
    'a b',
    'a.b',
    'a"b',
    "a'b",
    'a;b',
    'a\\b',
    'a\n',
    '\na',
    'a\r',
    'a\u0000',
    '../x',
    'é',
    'ａ',
    '*',
  ]) {
    it(`T11 refuses ${JSON.stringify(name)} by its letters`, () => {
      expect(() => parseSchemaName(name, NAMES))
        .to.throw(InvalidSchemaNameError, '^[a-z_][a-z0-9_]*$')
        .that.includes({ code: 'SCHEMA_NAME_INVALID', schemaName: name });
    });
  }

  for (const name of [undefined, null, 1, {}, ['acme'], new String('acme')]) {
    it(`T11 refuses ${JSON.stringify(name) ?? 'undefined'} (${typeof name}) by its type`, () => {
      expect(() => parseSchemaName(name, NAMES)).to.throw(InvalidSchemaNameError, 'it is not a string');
    });
  }

  it('T11 refuses 64 bytes, which PostgreSQL would cut to 63', () => {
    expect(() => parseSchemaName('a'.repeat(64), NAMES)).to.throw(InvalidSchemaNameError, 'it is longer than 63 bytes');
    expect(() => parseSchemaName('ä'.repeat(63), NAMES)).to.throw(InvalidSchemaNameError);
  });

  for (const [name, rule] of Object.entries(RESERVED)) {
    it(`T11 refuses ${name}, every time, as reserved, and says by which rule`, () => {
      for (let time = 0; time < 2; time++) {
        expect(() => parseSchemaName(name, NAMES))
          .to.throw(InvalidSchemaNameError, rule)
          .that.includes({ code: 'SCHEMA_NAME_RESERVED', schemaName: name });
      }
    });
  }
});

describe('quoting', () => {
  it('N1 doubles what would end the identifier', () => {
    expect(quoteIdentifier('acme')).to.equal('"acme"');
    expect(quoteIdentifier('a"; drop schema public; --')).to.equal('"a""; drop schema public; --"');
    expect(quoteTable('a"b', 'c"d')).to.equal('"a""b"."c""d"');
  });

  it('N1 quotes each schema of a search_path, so that none is folded, split or the role', () => {
    expect(searchPathOf('acme', 'Ext', 'a,b', '$user')).to.equal('"acme", "Ext", "a,b", "$user"');
    expect(searchPathOf()).to.equal('');
  });
});

describe('the schemas of shared entities', () => {
  it('T11 are no tenant’s', () => {
    const names = { publicSchema: 'public', reserved: [], shared: new Set(['reporting']) };

    expect(() => parseSchemaName('reporting', names))
      .to.throw('shared entities have their tables in it')
      .with.property('code', 'SCHEMA_NAME_RESERVED');
    expect(parseSchemaName('reports', names)).to.equal('reports');
  });
});
