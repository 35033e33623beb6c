// gateway.ts
import { identify, runAs } from '@landlord/mikro-orm';
import { TenantInterceptor } from '@landlord/mikro-orm/nest';
import { EntityManager } from '@mikro-orm/postgresql';
import { Injectable, UseGuards, UseInterceptors, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import { Book } from '../start/entities.js';

// #region gateway
interface Client {
  request: IncomingMessage;
  close(): void;
}

/** Does work of a guard or of `handleConnection()` in the scope of the host that opened the socket. */
async function inTenantOf<Result>({ request }: Client, work: () => Promise<Result>): Promise<Result> {
  // the options are those of TenantsModule.forRoot()
  return runAs(await identify(request), work);
}

@Injectable()
class HasBooks implements CanActivate {
  constructor(private readonly em: EntityManager) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return inTenantOf(context.switchToWs().getClient<Client>(), async () => (await this.em.count(Book)) > 0);
  }
}

@WebSocketGateway()
@UseGuards(HasBooks)
@UseInterceptors(TenantInterceptor)
export class BooksGateway implements OnGatewayConnection {
  constructor(private readonly em: EntityManager) {}

  // with socket.io, `client.request` is there already
  async handleConnection(client: Client, request: IncomingMessage): Promise<void> {
    client.request = request;
    // throws if the host is not served
    await inTenantOf(client, async () => this.em.count(Book)).catch(() => client.close());
  }

  @SubscribeMessage('titles')
  async titles(@MessageBody() beginning: string): Promise<object> {
    const books = await this.em.find(Book, { title: { $like: `${beginning}%` } });

    return { event: 'titles', data: books.map(({ title }) => title) };
  }
}
// #endregion gateway
