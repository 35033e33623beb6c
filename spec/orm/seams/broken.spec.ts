import { TenantConfigError, TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, EntityManager, MikroORM, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { forgetSeams } from '../../../dist/orm/seams/check-seams.js';
import { forgetShapes } from '../../../dist/orm/seams/check-shapes.js';
import { breakages, replace } from '../../support/seams/breakages.ts';

class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

const found = await breakages();

describe('A seam that is not what it was', () => {
  it('G1 an ORM starts where nothing has changed', async () => {
    await startAgain();
  });

  for (const { seam, how, make } of found) {
    it(`G1 ${seam.name} ${how}: no ORM starts, and the seam is named`, async () => {
      const undo = make();

      try {
        const error = await startAgain().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error, 'it started').to.be.instanceOf(TenantConfigError);
        expect((error as TenantConfigError).message).to.match(new RegExp(`(?:- |: |, )${seam.name.replaceAll('.', String.raw`\.`)}(?: of |,|\\.\n)`));
      } finally {
        undo();
      }
    });
  }
});

/** Starts an ORM as if it were the first of the process, on code that the library does not know. */
async function startAgain(): Promise<void> {
  const { findAll } = EntityManager.prototype;
  const forget = replace(EntityManager.prototype, 'findAll', function (this: EntityManager, ...args: Parameters<typeof findAll>) {
    return findAll.apply(this, args);
  });
  forgetSeams();
  forgetShapes();

  try {
    const orm = await MikroORM.init(
      withTenants({ driver: PostgreSqlDriver, dbName: 'none', entities: [Client, Note] } as never, { tenant: Client }) as never,
    );
    await orm.close();
  } finally {
    forget();
    forgetSeams();
    forgetShapes();
  }
}
