import 'reflect-metadata';
import { PublicGuard, TenantGuard, TenantsModule } from '@landlord/mikro-orm/nest';
import { Body, Controller, Get, Module, Post, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import { decorate, decorateParameters } from '../../../support/web/frameworks/decorate.ts';
import { addBook, booksHere, openShop, PUBLIC_PAGE, untilStopped } from './shop.ts';

const orm = await openShop();

class PublicController {
  page(): object {
    return PUBLIC_PAGE;
  }
}

decorate(PublicController, [Controller(), UseGuards(PublicGuard)], { page: [Get('about')] });

class BooksController {
  list(): Promise<object> {
    return booksHere(orm);
  }

  add(body: unknown): Promise<object> {
    return addBook(orm, body);
  }
}

decorate(BooksController, [Controller(), UseGuards(TenantGuard)], { list: [Get()], add: [Post('books')] });
decorateParameters(BooksController, 'add', [Body()]);

class AppModule {}

Module({ imports: [TenantsModule.forRoot()], controllers: [PublicController, BooksController] })(AppModule);

const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false });
const server = (await app.listen(0, '127.0.0.1')) as { address(): AddressInfo };
untilStopped(orm, server.address().port, () => app.close());
