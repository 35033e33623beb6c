import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p, UniqueConstraintViolationException } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';
import { failureOf } from '../support/assertions/failure.ts';

class Shop extends TenantMixin {
  vat!: string;
}

const ShopSchema = defineEntity({
  class: Shop,
  extends: TenantMixin,
  properties: { schemaName: p.string().unique('shop_by_name'), vat: p.string().unique() },
});

onDatabases('values that only one tenant may have', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, ShopSchema.class);
    await orm.em.fork().persistAndFlush(new Shop({ schemaName: 'acme', domainUrl: 'acme.example.com', vat: '1' }));
  });

  for (const [property, data] of [
    ['schemaName', { schemaName: 'acme', domainUrl: 'bob.example.com', vat: '2' }],
    ['domainUrl', { schemaName: 'bob', domainUrl: 'acme.example.com', vat: '2' }],
  ] as const) {
    it(`T9 names the ${property}, whatever its constraint is called`, async () => {
      const error = await refusal(orm.em.fork().persistAndFlush(new Shop(data)));

      expect(error).to.include({ code: 'TENANT_ALREADY_EXISTS', property });
    });
  }

  it('T9 leaves the error of any other property as MikroORM has it', async () => {
    const shop = new Shop({ schemaName: 'bob', domainUrl: 'bob.example.com', vat: '1' });
    const error = await failureOf(orm.em.fork().persistAndFlush(shop));

    expect(error).to.be.instanceOf(UniqueConstraintViolationException);
    expect(error).not.to.have.property('property');
  });
});
