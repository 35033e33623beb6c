import { forEachTenant, runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import fc, { type Arbitrary } from 'fast-check';
import { Note } from '../orm/note-orm.ts';
import type { SpecOrm } from '../orm/open-orm.ts';

/** Work of one flow: what takes a connection, and what is done while it is held. */
export interface Work {
  readonly kind: (typeof KINDS)[number];
  /** Of a scope, by its place among the tenants. */
  readonly tenant: number;
  /** Whether its parts are done at once, or one after the other. */
  readonly atOnce: boolean;
  readonly parts: readonly Work[];
}

/** Pieces of work that hold connections while they ask for more, of which no more than `most` are asked for in all. */
export function nestedWork(most: number): Arbitrary<Work> {
  const { tree } = fc.letrec<{ tree: Work }>(tie => ({
    tree: fc.record({
      kind: fc.constantFrom(...KINDS),
      tenant: fc.nat(1),
      atOnce: fc.boolean(),
      parts: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constant([]), fc.array(tie('tree'), { maxLength: 3 })),
    }),
  }));

  return tree.filter(work => countWork(work) <= most);
}

function countWork({ kind, parts }: Work): number {
  const sum = parts.reduce((before, part) => before + countWork(part), 0);

  return 1 + (kind === 'every tenant' ? sum * 2 : sum);
}

/** Does the work in the scope that the flow is in. There are two tenants. */
export async function doWork(orm: SpecOrm, names: readonly string[], { kind, tenant, atOnce, parts }: Work): Promise<void> {
  const rest = async (): Promise<void> => {
    if (atOnce) {
      await Promise.all(parts.map(part => doWork(orm, names, part)));
      return;
    }

    for (const part of parts) {
      await doWork(orm, names, part);
    }
  };
  // outside of whatever transaction the flow is in
  const em = orm.em.fork() as TenantEntityManager;

  switch (kind) {
    case 'statement':
      await em.find(Note, {});
      return rest();
    case 'raw statement':
      await em.execute('select text from note');
      return rest();
    case 'transaction':
      return em.transactional(async inner => {
        await inner.find(Note, {});
        await rest();
      });
    case 'transaction that begins with other work':
      return em.transactional(rest);
    case 'stream':
      for await (const note of em.stream(Note, {})) {
        void note;
        await rest();
        break;
      }

      return undefined;
    case 'connection':
      return em
        .getKysely()
        .connection()
        .execute(() => rest());
    case 'scope':
      return runInTenant(names[tenant] as string, rest, { orm });
    case 'every tenant':
      await runInPublic(() => forEachTenant(rest, { orm, concurrency: 2 }), { orm });
      return undefined;
    case 'public scope':
      return runInPublic(() => runInTenant(names[tenant] as string, rest, { orm }), { orm });
  }
}

const KINDS = [
  'statement',
  'raw statement',
  'transaction',
  'transaction that begins with other work',
  'stream',
  'connection',
  'scope',
  'public scope',
  'every tenant',
] as const;
