import { tenants, type TenantService } from '@landlord/mikro-orm';
import { LockMode } from '@mikro-orm/core';
import { PassThrough } from 'node:stream';
import { Library } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../databases/database.ts';
import { newLibrary, type LibraryOrm } from '../orm/library-orm.ts';

export interface PairSubject {
  readonly orm: LibraryOrm;
  readonly database: SpecDatabase;
  readonly n: number;
}

/** What is told, if that is something else than that it is done. */
type Step = (of: PairSubject) => Promise<unknown>;

const service = ({ orm }: PairSubject): TenantService<Library> => tenants<Library>(orm);

const dataOf = (name: string): { name: string; schemaName: string; domainUrl: string } => ({
  name,
  schemaName: name,
  domainUrl: `${name}.example.com`,
});

const create: Step = of => service(of).create(dataOf(`t${of.n}`));

const withRow =
  (change: (row: Library, n: number) => void): Step =>
  ({ orm, n }) =>
    orm.em.fork().transactional(async em => {
      // MikroORM says nothing of a row that has gone since it was read
      const row = await em.findOne(Library, { name: `t${n}` }, { lockMode: LockMode.PESSIMISTIC_WRITE });

      if (row === null) {
        return 'TENANT_UNKNOWN';
      }

      change(row, n);
      await em.flush();

      return 'done';
    });

/** What can be done to one tenant, by the state that it is in. Any two of a state may meet. */
export const LIVES: Readonly<Record<string, { readonly prepare: Step; readonly steps: Readonly<Record<string, Step>> }>> = {
  'a tenant': {
    prepare: create,
    steps: {
      rename: of => service(of).rename(`t${of.n}`, `r${of.n}`),
      'rename to another': of => service(of).rename(`t${of.n}`, `s${of.n}`),
      drop: of => service(of).drop(`t${of.n}`),
      'delete softly': of => service(of).drop(`t${of.n}`, { soft: true }),
      'move to another host': withRow((row, n) => (row.domainUrl = `h${n}.example.com`)),
      'rename by a flush': withRow((row, n) => (row.schemaName = `f${n}`)),
      clone: of => service(of).clone(`t${of.n}`, dataOf(`c${of.n}`)),
      export: async of => {
        const to = new PassThrough();
        to.resume();
        await service(of).export(`t${of.n}`, to);
      },
      mend: async of => {
        const { failed } = await service(of).doctor({ fix: true, deep: true });

        if (failed[0] !== undefined) {
          throw failed[0].error;
        }
      },
      create,
    },
  },
  'a tenant that was deleted softly': {
    prepare: async of => {
      await create(of);
      await service(of).drop(`t${of.n}`, { soft: true });
    },
    steps: {
      restore: of => service(of).restore(`t${of.n}`),
      'restore under another name': of => service(of).restore(`t${of.n}`, { schemaName: `r${of.n}` }),
      // of one that is gone meanwhile it tells nothing
      purge: async of => {
        const { failed, purged } = await service(of).purge({ only: [`t${of.n}`] });

        if (failed[0] !== undefined) {
          throw failed[0].error;
        }

        return purged.length > 0 ? 'done' : 'DELETED_TENANT_UNKNOWN';
      },
      create,
    },
  },
  'a row without a schema': {
    prepare: of => of.orm.em.fork().persistAndFlush(newLibrary(`t${of.n}`, { autoCreateSchema: false })),
    steps: {
      provision: of => service(of).provision(`t${of.n}`),
      drop: of => service(of).drop(`t${of.n}`),
      rename: of => service(of).rename(`t${of.n}`, `r${of.n}`),
      extract: of => service(of).extract(`t${of.n}`, { column: 'library_id', without: ['library_id'] }),
    },
  },
  'a schema without a row': {
    prepare: async of => {
      await create(of);
      await of.database.query('delete from public.library where schema_name = $1', [`t${of.n}`]);
    },
    steps: {
      adopt: of => service(of).adopt(dataOf(`t${of.n}`)),
      'create with it': of => service(of).create(dataOf(`t${of.n}`), { adoptSchema: true }),
      create,
    },
  },
};
