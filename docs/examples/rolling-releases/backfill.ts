import { forEachTenant } from '@landlord/mikro-orm';
import type { QueryResult } from '@mikro-orm/core';

/** In batches, so that no transaction holds many rows for long. May be run again. */
export async function backfill(batch = 1_000): Promise<number> {
  const visits = await forEachTenant(async em => {
    let filled = 0;

    for (;;) {
      const { affectedRows } = await em.execute<QueryResult>(
        'update book set name = title where id in (select id from book where name is null limit ?)',
        [batch],
        'run',
      );
      filled += affectedRows;

      if (affectedRows < batch) {
        return filled;
      }
    }
  });

  return visits.reduce((sum, { value }) => sum + value, 0);
}
