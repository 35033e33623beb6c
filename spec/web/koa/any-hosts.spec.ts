import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalHostname, withoutPort } from '../../../dist/tenant/hostname.js';
import { schemaNames, storedTenants } from '../../support/databases/catalog.ts';
import { lazily, forAll, nonText, SEED } from '../../support/generators/corpus.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { canonicalByRule, hostByRule } from '../../support/generators/host-oracle.ts';
import { hosts, spellingsOf } from '../../support/generators/hosts.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';

const canonical = (host: string): string | undefined => canonicalHostname(host, { stripWww: true });

describe('generated hosts', () => {
  it('T13 H3 a host is taken if and only if the documented rule has it, in the form the rule gives it', async () => {
    await forAll(hosts, host => expect(canonical(host), escape(host)).to.equal(canonicalByRule(host)), 8_000);
  });

  it('T13 H3 the canonical form of a canonical form is itself, with `stripWww` and without', async () => {
    await forAll(
      hosts,
      host => {
        for (const stripWww of [true, false]) {
          const once = canonicalHostname(host, { stripWww });

          if (once !== undefined) {
            expect(canonicalHostname(once, { stripWww }), escape(host)).to.equal(once);
            expect(once).to.match(/^(\[[0-9a-f:]+\]|[a-z0-9_.-]+)$/);
          }
        }
      },
      3_000,
    );
  });

  it('T13 H3 two hosts are one if and only if their canonical forms are equal', async () => {
    const labels = fc.array(fc.string({ unit: fc.constantFrom(...'abcxyz'.split('')), minLength: 1, maxLength: 6 }), {
      minLength: 2,
      maxLength: 4,
    });
    const plain = labels.map(parts => parts.join('.')).filter(host => !host.startsWith('www.'));

    await forAll(
      plain.chain(host => fc.tuple(fc.constant(host), spellingsOf(host), spellingsOf(host), plain)),
      ([host, one, other, another]) => {
        expect(canonical(one)).to.equal(host);
        expect(canonical(other)).to.equal(host);
        expect(canonical(another) === host).to.equal(another === host);
      },
      2_000,
    );
  });

  it('H3 the port is taken off by the rule, and nothing that is none', async () => {
    await forAll(
      fc.oneof(
        hosts,
        fc.tuple(hosts, fc.constantFrom(':0', ':80', ':65535', ':65536', ':', ':080', ':1e3', ':+1', '::')).map(parts => parts.join('')),
      ),
      header => expect(withoutPort(header), escape(header)).to.equal(hostByRule(header)),
      3_000,
    );
  });
});

onDatabases('generated domains', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { migrations: { migrationsList: [] } });
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
  });

  it('T13 what is no host is refused before any SQL, and no tenant is made', async () => {
    const before = [await schemaNames(database), await storedTenants(database)];
    database.statements.length = 0;

    await forAll(
      fc.oneof(
        { weight: 6, arbitrary: hosts.filter(host => canonicalByRule(host) === undefined).map(lazily) },
        { weight: 1, arbitrary: nonText },
      ),
      async make => {
        const domainUrl = make();
        const outcome: unknown = await orm.em
          .fork()
          .persistAndFlush(Object.assign(newLibrary('bad'), { domainUrl }))
          .then(
            () => 'stored',
            (error: unknown) => error,
          );

        // MikroORM itself may refuse a value that is not a string
        expect(outcome).to.be.instanceOf(Error);

        if (typeof domainUrl === 'string') {
          expect(outcome).to.include({ code: 'DOMAIN_INVALID' });
          expect((outcome as Error).message).not.to.match(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        }

        expect(database.statements).to.deep.equal([]);
      },
      300,
    );

    expect([await schemaNames(database), await storedTenants(database)]).to.deep.equal(before);
  });

  it('T13 what is a host is stored in its canonical form, and found by it', async () => {
    const taken = fc.sample(
      hosts.filter(host => canonicalByRule(host) !== undefined),
      { seed: SEED, numRuns: 60 },
    );
    const unique = [...new Map(taken.map(host => [canonicalByRule(host) as string, host])).entries()].filter(
      ([form]) => !['localhost', '127.0.0.1', '[::1]', 'acme.example.com'].includes(form),
    );
    await orm.em
      .fork()
      .persistAndFlush(unique.map(([, domainUrl], index) => newLibrary(`t${index}`, { domainUrl, autoCreateSchema: false })));
    const rows = await database.query<{ domain: string; name: string }>(
      `select domain_url as domain, schema_name as name from public.library where schema_name <> 'acme'`,
    );

    expect(Object.fromEntries(rows.map(({ domain, name }) => [name, domain]))).to.deep.equal(
      Object.fromEntries(unique.map(([form], index) => [`t${index}`, form])),
    );
  });
});

const escape = (host: string): string =>
  JSON.stringify(host).replaceAll(/[^\u0020-\u007e]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
