import { runInTenant, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p, type EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { schemaNames, schemasWith, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Counted extends TenantMixin {}
const CountedSchema = defineEntity({ class: Counted, extends: TenantMixin, properties: { note: p.string().nullable() } });

class Generated extends TenantMixin<string> {}
const GeneratedSchema = defineEntity({
  class: Generated,
  extends: TenantMixin,
  properties: { id: p.uuid().primary().defaultRaw('gen_random_uuid()') },
});

class Assigned extends TenantMixin<string> {}
const AssignedSchema = defineEntity({
  class: Assigned,
  extends: TenantMixin,
  properties: {
    id: p
      .uuid()
      .primary()
      .onCreate(() => randomUUID()),
  },
});

class Coded extends TenantMixin<string> {
  code!: string;
}
const CodedSchema = defineEntity({ class: Coded, extends: TenantMixin, properties: { code: p.string().primary() } });

interface Case {
  readonly title: string;
  readonly tenant: EntityClass<TenantMixin<any>>;
  readonly table: string;
  readonly key: string;
  readonly type: string;
  /** The values of keys that the application assigns; none where the insert does. */
  readonly assigned: readonly unknown[];
}

const CASES: readonly Case[] = [
  { title: 'an integer of the insert', tenant: CountedSchema.class, table: 'counted', key: 'id', type: 'number', assigned: [] },
  { title: 'an integer of its own', tenant: CountedSchema.class, table: 'counted', key: 'id', type: 'number', assigned: [4711, 4712] },
  { title: 'a uuid of the insert', tenant: GeneratedSchema.class, table: 'generated', key: 'id', type: 'string', assigned: [] },
  {
    title: 'a uuid of its own',
    tenant: GeneratedSchema.class,
    table: 'generated',
    key: 'id',
    type: 'string',
    assigned: [randomUUID(), randomUUID()],
  },
  { title: 'a uuid of `onCreate`', tenant: AssignedSchema.class, table: 'assigned', key: 'id', type: 'string', assigned: [] },
  { title: 'a string of another name', tenant: CodedSchema.class, table: 'coded', key: 'code', type: 'string', assigned: ['AC', 'BO'] },
];

for (const { title, tenant: Tenant, table, key, type, assigned } of CASES) {
  onDatabases(`a tenant whose key is ${title}`, database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openNoteOrm(database, Tenant, { autoDropSchema: true });
    });

    it('T4 is created, worked in, renamed and deleted', async () => {
      const em = orm.em.fork();
      const [acme, bob] = ['acme', 'bob'].map((schemaName, i) => {
        const data = { schemaName, domainUrl: `${schemaName}.example.com`, ...(assigned.length === 0 ? {} : { [key]: assigned[i] }) };

        return new (Tenant as new (values: typeof data) => TenantMixin<unknown>)(data);
      });
      await em.persistAndFlush([acme, bob].filter(one => one !== undefined));
      const keys = [acme, bob].map(one => Reflect.get(one ?? {}, key) as unknown);

      expect(await schemasWith(database, 'note')).to.deep.equal(['acme', 'bob']);
      expect(keys.map(value => typeof value)).to.deep.equal([type, type]);
      expect(new Set(keys).size).to.equal(2);
      expect(keys).to.include.members([...assigned]);

      await runInTenant('acme', scoped => scoped.persistAndFlush(scoped.create(Note, { text: 'hello' })));
      await tenants(orm).rename('acme', 'acme_2');
      expect(await database.query('select text from acme_2.note')).to.deep.equal([{ text: 'hello' }]);
      expect(await database.query('select text from bob.note')).to.deep.equal([]);

      const again = orm.em.fork();
      await again.removeAndFlush(await again.findOneOrFail(Tenant, { schemaName: 'acme_2' }));
      expect(await schemaNames(database)).to.deep.equal(['bob']);
      expect(await storedTenants(database, table)).to.deep.equal(['bob']);
    });
  });
}
