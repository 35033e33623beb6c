// app.module.ts
import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { InjectRepository, MikroOrmModule } from '@mikro-orm/nestjs';
import { EntityManager, EntityRepository } from '@mikro-orm/postgresql';
import { Controller, Get, Module, NotFoundException, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { Book, Client } from '../start/entities.js';
import config from '../start/mikro-orm.config.js';

@Controller('books')
class BooksController {
  constructor(
    @InjectRepository(Book) private readonly books: EntityRepository<Book>,
    private readonly em: EntityManager,
  ) {}

  @Get()
  async list(): Promise<object> {
    return { titles: (await this.books.findAll()).map(({ title }) => title), count: await this.em.count(Book) };
  }
}

@Module({
  imports: [MikroOrmModule.forRoot(config), MikroOrmModule.forFeature([Book])],
  controllers: [BooksController],
})
export class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(enterTenant).forRoutes('*all');
  }
}

async function enterTenant(request: { hostname: string }, _response: object, next: (error?: unknown) => void): Promise<void> {
  try {
    // stored in lower case
    const domainUrl = request.hostname.toLowerCase();
    const client = await runInPublic(em => em.findOne(Client, { domainUrl }));

    if (client === null) {
      throw new NotFoundException();
    }

    await runInTenant(client, () => next());
  } catch (error) {
    next(error);
  }
}
