import type { EntityManager } from '@mikro-orm/postgresql';
import { MikroORM } from '@mikro-orm/postgresql';
import { CurrentTenant, PublicGuard, TenantGuard, TenantsModule } from '@landlord/mikro-orm/nest';
import { MikroOrmModule } from '@mikro-orm/nestjs';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { Book, Client } from '../start/entities.js';
import config from '../start/mikro-orm.config.js';

@Controller()
@UseGuards(PublicGuard)
class PublicController {
  @Get('about')
  about(): string {
    return 'The public page';
  }
}

@Controller()
@UseGuards(TenantGuard)
class BooksController {
  private readonly em: EntityManager;

  constructor(orm: MikroORM) {
    this.em = orm.em;
  }

  @Get()
  async list(@CurrentTenant() tenant: Client): Promise<string> {
    const books = await this.em.find(Book, {});
    return `${tenant.schemaName}: ${books.map(({ title }) => title).join()}`;
  }
}

// #region lines
@Module({
  imports: [MikroOrmModule.forRoot(config), TenantsModule.forRoot()],
  controllers: [PublicController, BooksController],
})
export class AppModule {}
// #endregion lines
