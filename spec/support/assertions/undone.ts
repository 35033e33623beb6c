import type { TenantEntityManager } from '@landlord/mikro-orm';

/** The answer of a path whose writes are taken back, so that every path starts from the same rows. */
export async function undone<Answer>(em: TenantEntityManager, path: (em: TenantEntityManager) => Answer): Promise<Awaited<Answer>> {
  let answer: Awaited<Answer> | undefined;

  await em
    .transactional(async tx => {
      answer = await path(tx);
      throw new Undo();
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undo)) {
        throw error;
      }
    });

  return answer as Awaited<Answer>;
}

class Undo extends Error {}
