import { randomUUID } from 'node:crypto';
import { byClaim, byHeader, byPath, currentTenant, identify, runAs, TenantMixin, tenants, type TenantResolver } from '@landlord/mikro-orm';
import { defineEntity, p, type EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openNoteOrm } from '../../support/orm/note-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';

class Uuid extends TenantMixin<string> {}
const UuidSchema = defineEntity({ class: Uuid, extends: TenantMixin, properties: { id: p.uuid().primary() } });

class Coded extends TenantMixin<string> {
  code!: string;
}
const CodedSchema = defineEntity({ class: Coded, extends: TenantMixin, properties: { code: p.string().primary() } });

class Big extends TenantMixin<string> {}
const BigSchema = defineEntity({ class: Big, extends: TenantMixin, properties: { id: p.bigint('string').primary() } });

class Slugged extends TenantMixin {
  slug!: string;
  token!: string;
}
const SluggedSchema = defineEntity({
  class: Slugged,
  extends: TenantMixin,
  properties: { slug: p.string().unique(), token: p.uuid().unique() },
});

const CASES: readonly Case[] = [
  {
    title: 'a uuid',
    tenant: UuidSchema.class,
    property: 'id',
    keys: ['1b671a64-40d5-491e-99b0-da01ff1f3341', '0d9e1f5e-4f6c-4a53-9d5b-2f8b4f3f4c11'],
    alias: key => key.toUpperCase(),
    none: [randomUUID(), '1b671a64', '{1b671a64-40d5-491e-99b0-da01ff1f3341}', '1b671a6440d5491e99b0da01ff1f3341', "'", 'NULL'],
  },
  {
    title: 'a string',
    tenant: CodedSchema.class,
    property: 'code',
    keys: ['AC/ME é', 'ac/me é'],
    none: ['AC/ME', ' AC/ME é', 'AC/ME e\u0301', '%', "AC/ME é' or 'a'='a", 'x'.repeat(300), 'a\0'],
  },
  {
    title: 'a bigint',
    tenant: BigSchema.class,
    property: 'id',
    keys: ['9007199254740993', '9007199254740992'],
    none: ['9007199254740994', '09007199254740993', '9223372036854775808', '-1', '1e3', 'x'],
  },
  {
    title: 'a unique string beside the key',
    tenant: SluggedSchema.class,
    property: 'slug',
    keys: ['acme', 'Acme'],
    data: () => ({ token: randomUUID() }),
    none: ['ACME', 'acme ', ''],
  },
  {
    title: 'a unique uuid beside the key',
    tenant: SluggedSchema.class,
    property: 'token',
    keys: ['6f1d2c3a-0000-4000-8000-000000000001', '6f1d2c3a-0000-4000-8000-000000000002'],
    data: () => ({ slug: randomUUID() }),
    alias: key => key.toUpperCase(),
    none: [randomUUID(), 'acme'],
  },
];

for (const { title, tenant, property, keys, data, alias, none } of CASES) {
  onDatabases(`tenants that are named by ${title}`, database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openNoteOrm(database, tenant);

      for (const [index, key] of keys.entries()) {
        const name = ['acme', 'bob'][index] as string;
        await tenants<any>(orm).create({ schemaName: name, domainUrl: `${name}.example.com`, ...data?.(), [property]: key });
      }
    });

    it('H6 are each found by it, by every resolver, without a query once they are known, and no other value leads to them', async () => {
      const resolvers = {
        header: byHeader('x-key', { trusted: true, property }),
        path: byPath('/t/:key', { property }),
        claim: byClaim<{ readonly key: string }>(({ key }) => key, { property }),
      };
      const of = async (resolver: TenantResolver, key: string): Promise<string | undefined> => {
        const found = await identify(
          { headers: { 'x-key': key }, url: `/t/${encodeURIComponent(key)}/x` },
          { resolvers: [resolver] },
          { key },
        );

        return found.kind === 'tenant' ? runAs(found, () => currentTenant()?.schemaName) : found.kind;
      };

      await until('both are known, and changes are heard', async () => {
        database.statements.length = 0;
        await Promise.all(keys.map(key => of(resolvers.header, key)));

        return database.statements.length === 0;
      });

      for (const [name, resolver] of Object.entries(resolvers)) {
        expect(await Promise.all(keys.map(key => of(resolver, key))), name).to.deep.equal(['acme', 'bob']);
        expect(await Promise.all(keys.map(key => of(resolver, alias?.(key) ?? key))), name).to.deep.equal(['acme', 'bob']);
      }

      expect(database.statements).to.deep.equal([]);

      for (const resolver of [resolvers.path, resolvers.claim]) {
        // together, they would be one query
        const answers = await Promise.all([...none, ...keys].map(key => of(resolver, key)));
        expect(answers).to.deep.equal([...none.map(() => 'unknown'), 'acme', 'bob']);
      }
    });

    it('H6 H10 are unknown by it as soon as they are dropped', async () => {
      const resolvers = [byHeader('x-key', { trusted: true, property })];
      const kindOf = async (key: string): Promise<string> => (await identify({ headers: { 'x-key': key } }, { resolvers })).kind;

      expect(await Promise.all(keys.map(kindOf))).to.deep.equal(['tenant', 'tenant']);
      await tenants(orm).drop('acme');
      expect(await Promise.all(keys.map(kindOf))).to.deep.equal(['unknown', 'tenant']);
    });
  });
}

interface Case {
  readonly title: string;
  readonly tenant: EntityClass<TenantMixin<any>>;
  readonly property: string;
  /** Of the tenants `acme` and `bob`. */
  readonly keys: readonly string[];
  readonly data?: () => object;
  /** Another way to write the same key. */
  readonly alias?: (key: string) => string;
  /** What names nobody. */
  readonly none: readonly string[];
}
