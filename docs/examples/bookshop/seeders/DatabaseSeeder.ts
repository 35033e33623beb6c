import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { Seeder } from '@mikro-orm/seeder';
import { Book, Client, Genre } from '../entities.js';

const SHOPS = { acme: ['Emma', 'Persuasion'], bob: ['Dracula'] };

/** May be run again: it adds what is not there. */
export class DatabaseSeeder extends Seeder {
  async run(em: TenantEntityManager): Promise<void> {
    await em.upsert(Genre, { name: 'Novel' });

    for (const [name, titles] of Object.entries(SHOPS)) {
      if ((await em.count(Client, { schemaName: name })) > 0) {
        continue;
      }

      await em.transactional(async tx => {
        const client = new Client({ name, domainUrl: `${name}.localhost`, schemaName: name });
        await tx.persistAndFlush(client);

        await runInTenant(client, async inner => {
          const genre = await inner.findOneOrFail(Genre, { name: 'Novel' });
          titles.forEach(title => inner.create(Book, { title, genre }));
          await inner.flush();
        });
      });
    }
  }
}
